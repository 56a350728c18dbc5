package push

import (
	"net/http"
	"strconv"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/cloudevent"
)

// webhookID is the same for every request of a delivery, after a restart, too, and for no
// other. It has no dot, which parts what is signed. The rows of a snapshot share their
// positions, so a row goes by its id.
func webhookID(d *replhub.Delivery) string {
	if d.Row > 0 {
		return d.Service + "_" + cloudevent.EncodeValue(d.ID)
	}
	return d.Service + "_" + strconv.FormatUint(d.Position.Epoch, 10) + "-" + strconv.FormatUint(d.Position.Seq, 10)
}

// headersOf are the headers that depend on the delivery alone.
func headersOf(d *replhub.Delivery) http.Header {
	h := make(http.Header, 20)
	h.Set(headerID, webhookID(d))
	attribute := func(name, value string) {
		if value != "" {
			h.Set(cloudevent.Prefix+name, cloudevent.EncodeValue(value))
		}
	}
	attribute(cloudevent.AttrSpecVersion, cloudevent.SpecVersion)
	attribute(cloudevent.AttrID, d.ID)
	attribute(cloudevent.AttrSource, cloudevent.Source(d.Origin, d.Entity))
	attribute(cloudevent.AttrType, cloudevent.Type(d.Entity, string(d.Op)))
	attribute(cloudevent.AttrTime, d.Time.UTC().Format(time.RFC3339Nano))
	attribute(cloudevent.AttrSubject, d.Key)
	attribute(cloudevent.ExtEntity, d.Entity)
	attribute(cloudevent.ExtOp, string(d.Op))
	attribute(cloudevent.ExtKey, d.Key)
	attribute(cloudevent.ExtEpoch, strconv.FormatUint(d.Position.Epoch, 10))
	attribute(cloudevent.ExtSequence, strconv.FormatUint(d.Position.Seq, 10))
	attribute(cloudevent.ExtOrigin, d.Origin)
	if d.Version != 0 {
		attribute(cloudevent.ExtVersion, strconv.FormatInt(d.Version, 10))
	}
	if d.Row > 0 {
		attribute(cloudevent.ExtRow, strconv.FormatUint(d.Row, 10))
	}
	if len(d.Data) > 0 {
		h.Set("Content-Type", cloudevent.ContentType(d.ContentType, d.Data))
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if values := d.Header[name]; len(values) > 0 && cloudevent.Sendable(values[0]) {
			h.Set(name, values[0])
		}
	}
	return h
}
