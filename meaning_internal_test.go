package replhub

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/queue"
)

func TestMeaningOf(t *testing.T) {
	var v any
	syntax := json.Unmarshal([]byte("{"), &v)
	refused := errors.New("dial tcp 10.0.0.5:5432: connect: connection refused")
	for _, tt := range []struct {
		err     error
		payload string
		want    queue.Meaning
	}{
		{errors.New("no such tenant"), `{}`, queue.Failure},
		{refused, `{}`, queue.Unavailable},
		{sqldriver.ErrBadConn, `{}`, queue.Unavailable},
		{context.DeadlineExceeded, `{}`, queue.Unavailable},
		{Unavailable(errors.New("(SQLSTATE 22001)")), `{}`, queue.Unavailable},
		{&panicError{value: refused}, `{}`, queue.Unavailable},
		{&PublishError{Err: ErrUnavailable}, `{}`, queue.Unavailable},
		{fmt.Errorf("ask: %w", nats.ErrNoResponders), `{}`, queue.Unavailable},
		{Park(refused), `{}`, queue.Parked},
		{RetryAfter(time.Second, refused), `{}`, queue.Failure},
		{errors.New("(SQLSTATE 40001)"), `{}`, queue.Conflict},
		{errors.New("(SQLSTATE 23502)"), `{}`, queue.Invalid},
		{errors.New("(SQLSTATE 23503)"), `{}`, queue.Waits},
		{database.Mark(refused, database.Waits), `{}`, queue.Waits},
		{RetryAfter(time.Second, errors.New("(SQLSTATE 23503)")), `{}`, queue.Failure},
		{syntax, `{`, queue.Invalid},
		{syntax, `no JSON`, queue.Invalid},
		{syntax, ``, queue.Invalid},
		{syntax, `{}`, queue.Failure}, // it was something else that the handler read
		{syntax, `<user/>`, queue.Failure},
		{syntax, "\x08\xff", queue.Failure},
		{io.ErrUnexpectedEOF, ` {"id":`, queue.Invalid},
		{io.ErrUnexpectedEOF, `{}`, queue.Unavailable},
		{io.ErrUnexpectedEOF, `<user>`, queue.Unavailable},
		{io.ErrUnexpectedEOF, ``, queue.Unavailable},
	} {
		if got := meaningOf(fmt.Errorf("inbox: %w", tt.err), []byte(tt.payload)); got != tt.want {
			t.Errorf("%v of %q: %d, want %d", tt.err, tt.payload, got, tt.want)
		}
	}
}

func TestProbesComeSoon(t *testing.T) {
	s := SubscriberConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Hour}
	for probes := range 100 {
		if d := s.probePause(probes + 1); d < 50*time.Millisecond || d > maxProbePause {
			t.Errorf("after %d probes %s", probes, d)
		}
	}
}
