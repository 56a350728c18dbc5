package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// ForwardsError refuses a rewind to a place that the workers have not reached: the
// copies before it would be skipped.
type ForwardsError struct {
	// Next is the position of a copy before that place that no worker has got yet.
	Next event.Position
}

// Error implements error.
func (e *ForwardsError) Error() string {
	return fmt.Sprintf("a rewind goes back, not forwards: the workers have not got event %s yet, which lies before it", e.Next)
}

// refuseForwards refuses a rewind to a sequence of the lane if no consumer would go
// back and some consumer has undelivered copies before it.
func refuseForwards(ctx context.Context, stream jetstream.Stream, s State, have map[string]*jetstream.ConsumerInfo, from uint64) error {
	var forwards *ForwardsError
	for _, name := range Consumers(s.Queue) {
		c := have[name]
		if c == nil || c.Delivered.Stream >= from {
			return nil // the consumer goes back; a missing one is created again
		}
		next, found, err := undelivered(ctx, stream, c, from)
		if err != nil {
			return err
		}
		if found && forwards == nil {
			forwards = &ForwardsError{Next: next}
		}
	}
	if forwards != nil {
		return forwards
	}
	return nil
}

// undelivered finds the first copy before a sequence that a consumer has not
// delivered.
func undelivered(ctx context.Context, stream jetstream.Stream, c *jetstream.ConsumerInfo, before uint64) (event.Position, bool, error) {
	from := max(c.Delivered.Stream+1, c.Config.OptStartSeq)
	if from >= before {
		return event.Position{}, false, nil
	}
	m, err := stream.GetMsg(ctx, from, jetstream.WithGetMsgSubject(c.Config.FilterSubject))
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Sequence >= before {
		return event.Position{}, false, nil
	}
	if err != nil {
		return event.Position{}, false, fmt.Errorf("read lane at %d: %w", from, err)
	}
	mark, _ := record.CopyMark(m.Header)
	return mark.Position, true, nil
}
