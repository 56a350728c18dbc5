package ingest

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// decode makes an event of a message that ingest stored. The stream also takes
// messages that are not events: with entity names outside the grammar, and the
// server's answers to a request whose reply subject was one of ingest's. decode makes
// these an event that matches no interest, so that readers pass over them.
func (g *Ingest) decode(seq uint64, t time.Time, subject string, header map[string][]string, data []byte) *event.Event {
	pos := g.PositionOf(seq)
	if isServerReply(header, data) {
		g.cfg.Logger.Debug("skipping an answer of the server", "position", pos.String(), "subject", subject)
		return &event.Event{Pos: pos, Time: t}
	}
	e, err := event.Decode(pos, t, subject, header, data)
	if err != nil {
		g.cfg.Logger.Debug("skipping an event that no service can register for", "position", pos.String(), "err", err)
		return &event.Event{Pos: pos, Time: t}
	}
	return e
}

// replyType is the beginning of every answer of the JetStream API.
const replyType = `{"type":"io.nats.jetstream.api.v1.`

// isServerReply recognises an answer that the server itself sent to an ingest
// subject: a client that may not publish there can name it as the reply subject of a
// request.
func isServerReply(header map[string][]string, data []byte) bool {
	return len(header) == 0 && len(data) > len(replyType) && string(data[:len(replyType)]) == replyType
}
