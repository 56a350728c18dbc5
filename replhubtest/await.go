package replhubtest

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/internal/pause"
)

// Wait changes how a helper waits.
type Wait func(*waiting)

type waiting struct{ patience time.Duration }

// Within bounds a wait; 10 s by default.
func Within(d time.Duration) Wait { return func(w *waiting) { w.patience = d } }

// look is the time between two looks at a condition.
const look = 20 * time.Millisecond

// Await waits until check returns nil. If check does not in time, Await fails the
// test at once with check's last error. what names the condition, as in "waited for
// what".
func Await(t T, what string, check func() error, waits ...Wait) {
	t.Helper()
	if err := await(t, check, waits); err != nil {
		t.Fatalf("waited for %s: %v", what, err)
	}
}

// finalError ends an await: no patience changes it.
type finalError struct{ err error }

// Error implements error.
func (e finalError) Error() string { return e.err.Error() }

// await returns the last error, with how long it waited.
func await(t T, check func() error, waits []Wait) error {
	w := waiting{patience: 10 * time.Second}
	for _, change := range waits {
		change(&w)
	}
	w.patience = patience(t, w.patience)
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return nil
		}
		waited := time.Since(begun)
		if _, final := err.(finalError); final { //nolint:errorlint // it comes from here, unwrapped
			return err
		}
		if waited >= w.patience {
			return fmt.Errorf("not within %s: %w", w.patience.Round(time.Millisecond), err)
		}
		if end := pause.For(t.Context(), look); end != nil {
			return fmt.Errorf("the test ended after %s: %w", waited.Round(time.Millisecond), err)
		}
	}
}
