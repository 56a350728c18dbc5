// Package cloudevent has what every CloudEvent of replhub has in common, whether package
// cloudevents or package push makes it: names of attributes, and rules for their values.
package cloudevent

import (
	"encoding/json"
	"mime"
	"net/url"
	"strings"
)

// SpecVersion is the version of CloudEvents, and Prefix begins the header of an attribute
// in binary mode.
const (
	SpecVersion = "1.0"
	Prefix      = "ce-"
)

// The attributes that CloudEvents defines.
const (
	AttrSpecVersion = "specversion"
	AttrID          = "id"
	AttrSource      = "source"
	AttrType        = "type"
	AttrSubject     = "subject"
	AttrTime        = "time"
	AttrContentType = "datacontenttype"
	AttrSchema      = "dataschema"
)

// The extensions of an event of replhub. Epoch, sequence, version and row are numbers of
// 64 bits. They are texts, because the integers of CloudEvents have 32.
const (
	ExtEntity   = "entity"
	ExtOp       = "op"
	ExtKey      = "key"
	ExtVersion  = "version"
	ExtOrigin   = "origin"
	ExtEpoch    = "epoch"
	ExtSequence = "sequence"
	ExtRow      = "row"
)

// Type is the type of an event: the subject on which it was published.
func Type(entity, op string) string { return "db." + entity + "." + op }

// Source says who published an event, and of which entity: a relative URI. The origin may
// be empty.
func Source(origin, entity string) string {
	source := "/replhub"
	if origin != "" {
		source += "/" + url.PathEscape(origin)
	}
	return source + "/" + entity
}

// ContentType is the publisher's where that is a media type, else what the payload is.
func ContentType(stated string, data []byte) string {
	plain := strings.ReplaceAll(stated, "\t", " ") // which a CloudEvent has not
	if _, _, err := mime.ParseMediaType(plain); err == nil && Sendable(plain) {
		return plain
	}
	if json.Valid(data) {
		return "application/json"
	}
	return "application/octet-stream"
}

// Sendable reports whether a value may stand in a header as it is: printable ASCII and tabs.
func Sendable(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' && value[i] != '\t' || value[i] >= 0x7f {
			return false
		}
	}
	return true
}

// EncodeValue is a value as the HTTP binding of CloudEvents has it in a header: white
// space, quotes, percent signs and everything that is not printable ASCII are
// percent-encoded, byte by byte.
func EncodeValue(value string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
