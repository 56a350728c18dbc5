package cloudevents

import (
	"cmp"
	"encoding/json"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub"
)

// The extensions of an event of replhub. Numbers of 64 bits are texts, because the
// integers of CloudEvents have 32.
const (
	extEntity       = "entity"
	extOp           = "op"
	extKey          = "key"
	extPartitionKey = "partitionkey" // the key, as the partitioning extension has it
	extVersion      = "version"
	extOrigin       = "origin"
	extEpoch        = "epoch"
	extSequence     = "sequence"
	extRow          = "row"
	// extContentType is "=" and the publisher's content type, where datacontenttype is
	// another: none, or a text that is no media type.
	extContentType = "replhubcontenttype"
	// extHeaders are the publisher's own headers, as a JSON object of lists.
	extHeaders = "replhubheaders"
	// extTraceparent and extTracestate are of the extension for distributed tracing.
	extTraceparent = "traceparent"
	extTracestate  = "tracestate"
)

// sourcePrefix begins the source of each CloudEvent that this package makes.
const sourcePrefix = "/replhub"

// Of is an event as a CloudEvent. origin is the publishing service, replhub.Config's
// Service; it may be empty. The event needs an ID. The error is ErrInvalidEvent of
// package replhub.
func Of(ev replhub.Event, origin string) (CloudEvent, error) {
	if err := ev.Validate(); err != nil {
		return CloudEvent{}, err
	}
	if ev.ID == "" {
		return CloudEvent{}, invalid(attrID, "the event has no ID, and a CloudEvent needs one")
	}
	return OfDelivery(&replhub.Delivery{
		Entity: ev.Entity, Op: ev.Op, Key: ev.Key, ID: ev.ID, Version: ev.Version, Origin: origin,
		ContentType: ev.ContentType, Header: ev.Header, Data: ev.Data,
	})
}

// OfDelivery is a delivery as a CloudEvent. Its Service and Attempt are not part of it.
func OfDelivery(d *replhub.Delivery) (CloudEvent, error) {
	e := CloudEvent{
		ID: d.ID, Source: source(d.Origin, d.Entity), Type: "db." + d.Entity + "." + string(d.Op), // the subject on which it was published
		Subject: d.Key, Time: d.Time, Data: d.Data,
		Extensions: map[string]string{extEntity: d.Entity, extOp: string(d.Op)},
	}
	set := func(name, value string, there bool) {
		if there {
			e.Extensions[name] = value
		}
	}
	set(extKey, d.Key, d.Key != "")
	set(extPartitionKey, d.Key, d.Key != "")
	set(extOrigin, d.Origin, d.Origin != "")
	set(extVersion, strconv.FormatInt(d.Version, 10), d.Version != 0)
	stored := d.Position != replhub.Position{}
	set(extEpoch, strconv.FormatUint(d.Position.Epoch, 10), stored)
	set(extSequence, strconv.FormatUint(d.Position.Seq, 10), stored)
	set(extRow, strconv.FormatUint(d.Row, 10), d.Row > 0)

	if len(d.Data) > 0 {
		e.DataContentType = contentType(d.ContentType, d.Data)
	}
	set(extContentType, "="+d.ContentType, d.ContentType != e.DataContentType)
	own := ownHeaders(d.Header)
	for _, name := range []string{extTraceparent, extTracestate} {
		if values := own[name]; len(values) == 1 && values[0] != "" && !strings.ContainsFunc(values[0], control) {
			set(name, values[0], true)
			delete(own, name)
		}
	}
	if len(own) > 0 {
		if name := notUTF8(own); name != "" {
			return CloudEvent{}, invalid(extHeaders, "the header %.40q has a value that is no UTF-8", name)
		}
		text, err := json.Marshal(own)
		if err != nil {
			return CloudEvent{}, invalid(extHeaders, "%v", err)
		}
		set(extHeaders, string(text), true)
	}
	return e, e.Validate()
}

// notUTF8 is the name of a header that JSON cannot hold; empty if it can hold all.
func notUTF8(header map[string][]string) string {
	for name, values := range header {
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return name
		}
	}
	return ""
}

// source is who published the event, and of which entity: a relative URI.
func source(origin, entity string) string {
	if origin == "" {
		return sourcePrefix + "/" + entity
	}
	return sourcePrefix + "/" + url.PathEscape(origin) + "/" + entity
}

// contentType is the publisher's where that is one, else what the payload is.
func contentType(stated string, data []byte) string {
	if _, _, err := mime.ParseMediaType(stated); err == nil && !strings.ContainsFunc(stated, func(r rune) bool { return control(r) || r > 0x7e }) {
		return stated
	}
	if json.Valid(data) {
		return "application/json"
	}
	return "application/octet-stream"
}

// ownHeaders are the publisher's headers, without those that the hub and NATS set and
// the content type, which is an attribute.
func ownHeaders(header map[string][]string) map[string][]string {
	own := maps.Clone(header)
	maps.DeleteFunc(own, func(name string, values []string) bool {
		lower := strings.ToLower(name)
		return len(values) == 0 || strings.HasPrefix(lower, "nats-") || strings.HasPrefix(lower, "replhub-") || lower == "content-type"
	})
	return own
}

// Delivery is the delivery that OfDelivery has made the CloudEvent of, without Service
// and Attempt. Its Header has the publisher's own headers, without the hub's. The error
// is ErrInvalid.
func (e CloudEvent) Delivery() (replhub.Delivery, error) {
	if err := e.Validate(); err != nil {
		return replhub.Delivery{}, err
	}
	x := e.Extensions
	d := replhub.Delivery{
		Entity: x[extEntity], Op: replhub.Op(x[extOp]), Key: x[extKey], ID: e.ID, Origin: x[extOrigin], Time: e.Time, Data: e.Data,
		ContentType: e.DataContentType,
	}
	if !e.Ours() {
		return replhub.Delivery{}, invalid(attrType, "%.80q from %.80q is not an event of replhub: give Rules for it", e.Type, e.Source)
	}
	if v, ok := x[extContentType]; ok {
		d.ContentType = strings.TrimPrefix(v, "=")
	}
	n := numbers{of: x}
	d.Position = replhub.Position{Epoch: n.unsigned(extEpoch), Seq: n.unsigned(extSequence)}
	d.Row, d.Version = n.unsigned(extRow), n.signed(extVersion)
	if n.err != nil {
		return replhub.Delivery{}, n.err
	}
	var err error
	if d.Header, err = e.headers(); err != nil {
		return replhub.Delivery{}, err
	}
	return d, nil
}

// numbers reads numbers out of extensions; one that is not there is 0. err is about the
// first that is no number.
type numbers struct {
	of  map[string]string
	err error
}

func (n *numbers) unsigned(name string) uint64 {
	value, err := strconv.ParseUint(cmp.Or(n.of[name], "0"), 10, 64)
	n.failed(name, err)
	return value
}

func (n *numbers) signed(name string) int64 {
	value, err := strconv.ParseInt(cmp.Or(n.of[name], "0"), 10, 64)
	n.failed(name, err)
	return value
}

func (n *numbers) failed(name string, err error) {
	if err != nil && n.err == nil {
		n.err = invalid(name, "%.40q is no number", n.of[name])
	}
}

// headers are the publisher's own headers; nil if there are none.
func (e CloudEvent) headers() (map[string][]string, error) {
	var own map[string][]string
	if text, ok := e.Extensions[extHeaders]; ok {
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			return nil, invalid(extHeaders, "is no JSON object of lists: %v", err)
		}
	}
	for _, name := range []string{extTraceparent, extTracestate} {
		if value, ok := e.Extensions[name]; ok {
			if own == nil {
				own = make(map[string][]string)
			}
			own[name] = []string{value}
		}
	}
	return own, nil
}

// Ours reports whether this package, or package push, has made the CloudEvent.
func (e CloudEvent) Ours() bool {
	x := e.Extensions
	return x[extEntity] != "" && x[extOp] != "" && e.Type == "db."+x[extEntity]+"."+x[extOp] && e.Source == source(x[extOrigin], x[extEntity])
}
