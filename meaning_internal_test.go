package replhub

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/database"
)

func TestMeaningOf(t *testing.T) {
	var v any
	syntax := json.Unmarshal([]byte("{"), &v)
	refused := errors.New("dial tcp 10.0.0.5:5432: connect: connection refused")
	for _, tt := range []struct {
		err     error
		payload string
		want    meaning
	}{
		{errors.New("no such tenant"), `{}`, meansFailure},
		{refused, `{}`, meansUnavailable},
		{driver.ErrBadConn, `{}`, meansUnavailable},
		{context.DeadlineExceeded, `{}`, meansUnavailable},
		{Unavailable(errors.New("(SQLSTATE 22001)")), `{}`, meansUnavailable},
		{&panicError{value: refused}, `{}`, meansUnavailable},
		{&PublishError{Err: ErrUnavailable}, `{}`, meansUnavailable},
		{fmt.Errorf("ask: %w", nats.ErrNoResponders), `{}`, meansUnavailable},
		{Park(refused), `{}`, meansParked},
		{RetryAfter(time.Second, refused), `{}`, meansFailure},
		{errors.New("(SQLSTATE 40001)"), `{}`, meansConflict},
		{errors.New("(SQLSTATE 23502)"), `{}`, meansInvalid},
		{errors.New("(SQLSTATE 23503)"), `{}`, meansWaits},
		{database.Mark(refused, database.Waits), `{}`, meansWaits},
		{RetryAfter(time.Second, errors.New("(SQLSTATE 23503)")), `{}`, meansFailure},
		{syntax, `{`, meansInvalid},
		{syntax, `no JSON`, meansInvalid},
		{syntax, ``, meansInvalid},
		{syntax, `{}`, meansFailure}, // it was something else that the handler read
		{syntax, `<user/>`, meansFailure},
		{syntax, "\x08\xff", meansFailure},
		{io.ErrUnexpectedEOF, ` {"id":`, meansInvalid},
		{io.ErrUnexpectedEOF, `{}`, meansUnavailable},
		{io.ErrUnexpectedEOF, `<user>`, meansUnavailable},
		{io.ErrUnexpectedEOF, ``, meansUnavailable},
	} {
		if got := meaningOf(fmt.Errorf("inbox: %w", tt.err), []byte(tt.payload)); got != tt.want {
			t.Errorf("%v of %q: %d, want %d", tt.err, tt.payload, got, tt.want)
		}
	}
}

func TestProbesComeSoon(t *testing.T) {
	s := Subscription{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Hour}
	for probes := range 100 {
		if d := s.probePause(probes + 1); d < 50*time.Millisecond || d > maxProbePause {
			t.Errorf("after %d probes %s", probes, d)
		}
	}
}
