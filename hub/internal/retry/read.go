// Package retry repeats a read-only JetStream request whose answer does not come: the
// answer is lost if the server that leads the stream fails. Sleep is the pause between
// two attempts of any kind.
package retry

import (
	"context"
	"errors"
	"time"
)

// An answer takes milliseconds. The waits double, for servers that are slow.
const (
	firstWait = time.Second
	lastWait  = 4 * time.Second
)

// Read calls read with contexts that end after one, two and four seconds, until a
// call does not time out. It returns the last call's result.
func Read[T any](ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	for wait := firstWait; ; wait *= 2 {
		bounded, cancel := context.WithTimeout(ctx, wait)
		answer, err := read(bounded)
		late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		cancel()
		if !late || wait == lastWait {
			return answer, err
		}
	}
}
