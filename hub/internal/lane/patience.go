package lane

import (
	"context"
	"errors"
	"time"
)

const (
	// minPatience is a hundred times and more what an append takes; maxPatience
	// is for links, disks and machines that are about to give up.
	minPatience = time.Second
	maxPatience = 8 * time.Second
)

// patience is how long a lane waits for the server's answer to an append; then
// what was stored is unknown and the lane is read again. A change of leaders
// takes answers with it, so the wait is short; where answers are slow, it grows
// until they come in time. The zero value is ready to use.
type patience time.Duration

// bound gives a context that ends when the patience does.
func (p *patience) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.time())
}

func (p *patience) time() time.Duration { return max(time.Duration(*p), minPatience) }

// learn takes the outcome of a wait. An answer makes it a little shorter, so
// that few of the next ones are missed where they are slow.
func (p *patience) learn(err error) {
	switch {
	case err == nil:
		*p = patience(p.time() * 15 / 16)
	case errors.Is(err, context.DeadlineExceeded):
		*p = patience(min(2*p.time(), maxPatience))
	}
}
