package cloudevents

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/cloudevent"
)

// The extensions of this package, beside those of package cloudevent.
const (
	extPartitionKey = "partitionkey" // the key, as the partitioning extension has it
	// extContentType is "=" and the publisher's content type, where datacontenttype is
	// another: none, or a text that is no media type.
	extContentType = "replhubcontenttype"
	// extHeaders are the publisher's own headers, as a JSON object of lists.
	extHeaders = "replhubheaders"
	// extTraceparent and extTracestate are of the extension for distributed tracing.
	extTraceparent = "traceparent"
	extTracestate  = "tracestate"
)

// Of is an event as a CloudEvent. origin is the publishing service, replhub.Config's
// Service; it may be empty. The event needs an ID. The error is ErrInvalidEvent of
// package replhub.
func Of(ev replhub.Event, origin string) (CloudEvent, error) {
	if err := ev.Validate(); err != nil {
		return CloudEvent{}, err
	}
	if ev.ID == "" {
		return CloudEvent{}, invalid(cloudevent.AttrID, "the event has no ID, and a CloudEvent needs one")
	}
	return OfDelivery(&replhub.Delivery{
		Entity: ev.Entity, Op: ev.Op, Key: ev.Key, ID: ev.ID, Version: ev.Version, Origin: origin,
		ContentType: ev.ContentType, Header: ev.Header, Data: ev.Data,
	})
}

// OfDelivery is a delivery as a CloudEvent. Its Service and Attempt are not part of it.
func OfDelivery(d *replhub.Delivery) (CloudEvent, error) {
	e := CloudEvent{
		ID: d.ID, Source: cloudevent.Source(d.Origin, d.Entity), Type: cloudevent.Type(d.Entity, string(d.Op)),
		Subject: d.Key, Time: d.Time, Data: d.Data,
		Extensions: map[string]string{cloudevent.ExtEntity: d.Entity, cloudevent.ExtOp: string(d.Op)},
	}
	set := func(name, value string, there bool) {
		if there {
			e.Extensions[name] = value
		}
	}
	set(cloudevent.ExtKey, d.Key, d.Key != "")
	set(extPartitionKey, d.Key, d.Key != "")
	set(cloudevent.ExtOrigin, d.Origin, d.Origin != "")
	set(cloudevent.ExtVersion, strconv.FormatInt(d.Version, 10), d.Version != 0)
	stored := d.Position != replhub.Position{}
	set(cloudevent.ExtEpoch, strconv.FormatUint(d.Position.Epoch, 10), stored)
	set(cloudevent.ExtSequence, strconv.FormatUint(d.Position.Seq, 10), stored)
	set(cloudevent.ExtRow, strconv.FormatUint(d.Row, 10), d.Row > 0)

	if len(d.Data) > 0 {
		e.DataContentType = cloudevent.ContentType(d.ContentType, d.Data)
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
		Entity: x[cloudevent.ExtEntity], Op: replhub.Op(x[cloudevent.ExtOp]), Key: x[cloudevent.ExtKey], ID: e.ID, Origin: x[cloudevent.ExtOrigin], Time: e.Time, Data: e.Data,
		ContentType: e.DataContentType,
	}
	if !e.Ours() {
		return replhub.Delivery{}, invalid(cloudevent.AttrType, "%.80q from %.80q is not an event of replhub: give Rules for it", e.Type, e.Source)
	}
	if v, ok := x[extContentType]; ok {
		d.ContentType = strings.TrimPrefix(v, "=")
	}
	n := numbers{of: x}
	d.Position = replhub.Position{Epoch: n.unsigned(cloudevent.ExtEpoch), Seq: n.unsigned(cloudevent.ExtSequence)}
	d.Row, d.Version = n.unsigned(cloudevent.ExtRow), n.signed(cloudevent.ExtVersion)
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
	return x[cloudevent.ExtEntity] != "" && x[cloudevent.ExtOp] != "" && e.Type == cloudevent.Type(x[cloudevent.ExtEntity], x[cloudevent.ExtOp]) && e.Source == cloudevent.Source(x[cloudevent.ExtOrigin], x[cloudevent.ExtEntity])
}
