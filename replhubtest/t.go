package replhubtest

import (
	"context"
	"time"
)

// T has the methods of a test that this package uses: a *testing.T, *testing.B or
// *testing.F. As with those, what may call Fatalf is to be called by the goroutine that
// runs the test.
type T interface {
	Helper()
	Cleanup(end func())
	Context() context.Context
	TempDir() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// patience is how long to wait at most: less where the whole run is short of
// time, so that the test tells what it missed.
func patience(t T, most time.Duration) time.Duration {
	limited, ok := t.(interface {
		Deadline() (deadline time.Time, ok bool)
	})
	if !ok {
		return most
	}
	if end, ok := limited.Deadline(); ok {
		return min(most, time.Until(end)/2)
	}
	return most
}
