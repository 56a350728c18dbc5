package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/retry"
)

func TestRead(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		// after is how long each call takes to be answered, by err.
		after []time.Duration
		err   error
		took  time.Duration
		calls int
		want  error
	}{
		"answered":               {[]time.Duration{time.Millisecond}, nil, time.Millisecond, 1, nil},
		"refused":                {[]time.Duration{time.Millisecond}, refused, time.Millisecond, 1, refused},
		"lost once":              {[]time.Duration{time.Hour, time.Millisecond}, nil, time.Second + time.Millisecond, 2, nil},
		"slow":                   {[]time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second}, nil, 6 * time.Second, 3, nil},
		"never":                  {[]time.Duration{time.Hour, time.Hour, time.Hour}, nil, 7 * time.Second, 3, context.DeadlineExceeded},
		"never, to the caller's": {[]time.Duration{time.Hour, time.Hour, time.Hour, time.Hour}, nil, 2500 * time.Millisecond, 2, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if len(c.after) > 3 {
					ctx, cancel = context.WithTimeout(t.Context(), c.took)
				}
				defer cancel()
				began, calls := time.Now(), 0
				_, err := retry.Read(ctx, func(ctx context.Context) (int, error) {
					calls++
					select {
					case <-time.After(c.after[calls-1]):
						return 1, c.err
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				})
				if took := time.Since(began); !errors.Is(err, c.want) || calls != c.calls || took != c.took {
					t.Errorf("%v after %d calls in %s, want %v, %d, %s", err, calls, took, c.want, c.calls, c.took)
				}
			})
		})
	}
}
