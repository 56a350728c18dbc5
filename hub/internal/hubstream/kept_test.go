package hubstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a stream without a leader does not answer is asked again, and every other
// error is the caller's.
func TestDoWaitsForALeader(t *testing.T) {
	k := hubstream.NewKept(hubstream.KeptConfig{
		JS:     natstest.Start(t).JetStream(),
		Stream: jetstream.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}, Replicas: 1},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err := k.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err   error
		calls int
	}{
		{nil, 1},
		{fmt.Errorf("publish: %w", nats.ErrNoResponders), 4},
		{fmt.Errorf("publish: %w", jetstream.ErrNoStreamResponse), 4},
		{errors.New("refused"), 1},
	} {
		calls := 0
		err := k.Do(t.Context(), func(context.Context, jetstream.Stream) error {
			if calls++; calls < 4 {
				return tt.err
			}
			return nil
		})
		if calls != tt.calls || (calls == 1) != errors.Is(err, tt.err) {
			t.Errorf("%v: %d calls, then %v; want %d", tt.err, calls, err, tt.calls)
		}
	}
}
