package bridge

import (
	"context"
	"errors"

	"github.com/replhub/replhub"
)

// NewMaxDeliver is how often an event of a new service may come to an instance. An instance
// that stops, or is cut off from the hub, gives its events back, and each counts as a
// delivery, though nobody tried it. No event can end this process: more deliveries than
// for a handler that may crash are due.
const NewMaxDeliver = 100

// Subscribe runs a subscriber until ctx ends, or with once until the service has caught
// up. It then lets the handlers under way finish and returns nil. A nil once never ends by
// itself. The end of the subscriber before the service has caught up is an error, as is
// ErrPaused.
func Subscribe(ctx context.Context, s *replhub.Subscriber, once *CaughtUp) error {
	if once == nil {
		return s.Run(ctx)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	waited := make(chan error, 1)
	go func() {
		var err error
		select {
		case <-s.Ready():
			err = once.Wait(ctx)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		stop(errCaughtUp) // of no effect where ctx has ended already
		waited <- err
	}()
	err := s.Run(ctx)
	stop(err)
	waitErr := <-waited
	switch {
	case err != nil:
		return err
	case errors.Is(context.Cause(ctx), errCaughtUp):
		return waitErr
	default:
		return context.Cause(ctx) // told to end before that
	}
}

// errCaughtUp ends a subscriber whose service has caught up, or cannot.
var errCaughtUp = errors.New("caught up")
