package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
	"github.com/replhub/replhub/subjects"
)

// admitTime bounds the wait for a hub's answer about a dead letter.
const admitTime = time.Second

// admit asks a hub whether a dead letter may be stored, because each service has a quota
// of dead letters. Where it may not, refused is the letter's outcome. Without an answer
// the letter is stored: the hub is unavailable, or too old to know the request.
func (s *Subscriber) admit(ctx context.Context, j *job) (l queue.Letter, refused bool) {
	req := contract.Letter{Bytes: letterSize(j.letter)}
	if millis, err := strconv.ParseInt(j.in.incarnation, 36, 64); err == nil && millis > 0 {
		created := time.UnixMilli(millis + 1).UTC() // the time is rounded down
		req.Consumer = &created
	}
	body, err := json.Marshal(req)
	if err != nil {
		return queue.Letter{}, false // cannot happen: a number and a time
	}
	ctx, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	answer, err := s.client.nc.RequestWithContext(ctx, subjects.Control(contract.VerbLetter, s.client.service), body)
	if err != nil {
		return queue.Letter{}, false
	}
	_, err = readReply(answer)
	no, ok := errors.AsType[*RefusedError](err)
	switch {
	case ok && no.Code == CodeLimit:
		s.client.log.Warn("a dead letter is refused; its key waits; trying again", "subject", j.letter.Subject, "err", err)
		return queue.Letter{}, true
	case ok && no.Code == CodeNotFound:
		s.client.log.Error("an event that failed has no dead letter: its service was dropped", "subject", j.letter.Subject, "id", j.delivery.ID)
		return queue.Letter{Needless: true}, true
	}
	return queue.Letter{}, false
}

// letterSize is the size of a letter with its headers.
func letterSize(m *nats.Msg) int {
	n := len(m.Subject) + len(m.Data)
	for name, values := range m.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}
