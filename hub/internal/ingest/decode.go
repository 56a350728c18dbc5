package ingest

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// decode makes an event of what ingest stored. The stream takes things that are
// no events as well: entities that are no names of the grammar, and answers of
// the server's to a request whose reply subject was one of ingest's. Of these it
// makes an event that nobody can want, so that those behind it are reached.
func (g *Ingest) decode(seq uint64, t time.Time, subject string, header map[string][]string, data []byte) *event.Event {
	pos := g.PositionOf(seq)
	if isServerReply(header, data) {
		g.cfg.Logger.Debug("passing over an answer of the server's", "position", pos.String(), "subject", subject)
		return &event.Event{Pos: pos, Time: t}
	}
	e, err := event.Decode(pos, t, subject, header, data)
	if err != nil {
		g.cfg.Logger.Debug("passing over an event that nobody can want", "position", pos.String(), "err", err)
		return &event.Event{Pos: pos, Time: t}
	}
	return e
}

// replyType begins every answer of the server's JetStream API.
const replyType = `{"type":"io.nats.jetstream.api.v1.`

// isServerReply recognises what the server itself sent to an ingest subject:
// somebody who may not publish there can name it as the reply subject of a
// request.
func isServerReply(header map[string][]string, data []byte) bool {
	return len(header) == 0 && len(data) > len(replyType) && string(data[:len(replyType)]) == replyType
}
