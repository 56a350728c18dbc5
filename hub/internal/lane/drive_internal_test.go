package lane

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/lane/core"
)

// What an error says of a step decides whether a lane takes turns with another writer,
// waits longer, or has its change decided again.
func TestFailure(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want core.Failure
	}{
		"another writer was there": {ErrFenced, core.Failure{Refused: true}},
		"no leader took it":        {nats.ErrNoResponders, core.Failure{NotStored: true}},
		"no answer in time":        {context.DeadlineExceeded, core.Failure{Late: true}},
		"ingest began an epoch":    {errNewEpoch, core.Failure{NewEpoch: true}},
		"anything else":            {errors.New("else"), core.Failure{}},
	} {
		wrapped := fmt.Errorf("append: %w", c.err)
		got := failure(wrapped)
		if !errors.Is(got.Err, c.err) {
			t.Errorf("%s: the error is %v", name, got.Err)
		}
		if got.Err = nil; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
