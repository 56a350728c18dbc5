package push

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub"
)

// The headers of a CloudEvent in binary mode, in the letter case that Go gives every
// header. Epoch, sequence, version and row are numbers of 64 bits, which CloudEvents has
// no type for, and so they are texts.
const (
	ceSpecVersion = "Ce-Specversion"
	ceID          = "Ce-Id"
	ceSource      = "Ce-Source"
	ceType        = "Ce-Type"
	ceTime        = "Ce-Time"
	ceSubject     = "Ce-Subject"

	ceEntity   = "Ce-Entity"
	ceOp       = "Ce-Op"
	ceKey      = "Ce-Key"
	ceEpoch    = "Ce-Epoch"
	ceSequence = "Ce-Sequence"
	ceVersion  = "Ce-Version"
	ceOrigin   = "Ce-Origin"
	ceRow      = "Ce-Row"
)

// webhookID is the same for every request of a delivery, after a restart, too, and for no
// other. It has no dot, which parts what is signed. The rows of a snapshot share their
// positions, so a row goes by its id.
func webhookID(d *replhub.Delivery) string {
	if d.Row > 0 {
		return d.Service + "_" + d.ID
	}
	return d.Service + "_" + strconv.FormatUint(d.Position.Epoch, 10) + "-" + strconv.FormatUint(d.Position.Seq, 10)
}

// headersOf are the headers that depend on the delivery alone.
func headersOf(d *replhub.Delivery) http.Header {
	h := make(http.Header, 20)
	set := func(name, value string) {
		if value != "" {
			h.Set(name, encodeValue(value))
		}
	}
	set(headerID, webhookID(d))
	set(ceSpecVersion, "1.0")
	set(ceID, d.ID)
	set(ceSource, sourceOf(d))
	set(ceType, "db."+d.Entity+"."+string(d.Op)) // the subject on which the event was published
	set(ceTime, d.Time.UTC().Format(time.RFC3339Nano))
	set(ceSubject, d.Key)
	set(ceEntity, d.Entity)
	set(ceOp, string(d.Op))
	set(ceKey, d.Key)
	set(ceEpoch, strconv.FormatUint(d.Position.Epoch, 10))
	set(ceSequence, strconv.FormatUint(d.Position.Seq, 10))
	set(ceOrigin, d.Origin)
	if d.Version != 0 {
		set(ceVersion, strconv.FormatInt(d.Version, 10))
	}
	if d.Row > 0 {
		set(ceRow, strconv.FormatUint(d.Row, 10))
	}
	if len(d.Data) > 0 {
		h.Set("Content-Type", contentType(d))
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if values := d.Header[name]; len(values) > 0 && sendable(values[0]) {
			h.Set(name, values[0])
		}
	}
	return h
}

// sourceOf is who published the event, and of which entity: a relative URI.
func sourceOf(d *replhub.Delivery) string {
	source := "/replhub"
	if d.Origin != "" {
		source += "/" + url.PathEscape(d.Origin)
	}
	return source + "/" + d.Entity
}

// contentType is the publisher's where that is one, else what the payload is.
func contentType(d *replhub.Delivery) string {
	if _, _, err := mime.ParseMediaType(d.ContentType); err == nil && sendable(d.ContentType) {
		return d.ContentType
	}
	if json.Valid(d.Data) {
		return "application/json"
	}
	return "application/octet-stream"
}

// sendable reports whether a value may stand in a header as it is.
func sendable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < 0x20 && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// encodeValue is a value as the HTTP binding of CloudEvents has it: white space, quotes,
// percent signs and everything that is not printable ASCII are percent-encoded, byte by
// byte.
func encodeValue(value string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if c > 0x20 && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
