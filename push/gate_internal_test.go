package push

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func fixed(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

// After a wait one request goes first. Its answer opens the gate for all, or closes it
// again.
func TestGateLetsOneGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		if alone, err := g.pass(t.Context()); alone || err != nil {
			t.Fatalf("an open gate: %t, %v", alone, err)
		}
		if _, began := g.shut(false, fixed(time.Minute)); !began {
			t.Error("the first wait does not begin one")
		}
		if _, began := g.shut(false, fixed(time.Second)); began || g.waits != 1 {
			t.Errorf("an answer to a request of the same time begins another wait (%d)", g.waits)
		}
		g.leave(false, true) // an answer to a request from before the wait opens nothing
		passed := make(chan bool, 5)
		for range 5 {
			go func() {
				alone, err := g.pass(t.Context())
				if err != nil {
					t.Error(err)
				}
				passed <- alone
			}()
		}
		begun := time.Now()
		if alone := <-passed; !alone || time.Since(begun) != time.Minute {
			t.Errorf("alone %t after %s", alone, time.Since(begun))
		}
		synctest.Wait()
		if len(passed) > 0 {
			t.Error("a second request passed before the answer to the first")
		}
		if _, began := g.shut(true, func(before int) time.Duration { return time.Duration(before) * time.Minute }); began {
			t.Error("a further wait was reported as the first")
		}
		if alone := <-passed; !alone || time.Since(begun) != 2*time.Minute {
			t.Errorf("alone %t after %s", alone, time.Since(begun))
		}
		g.leave(true, true)
		for range 3 {
			if alone := <-passed; alone {
				t.Error("alone at an open gate")
			}
		}
		if _, closed := g.remaining(); closed || time.Since(begun) != 2*time.Minute {
			t.Errorf("closed %t after %s", closed, time.Since(begun))
		}
	})
}

// Who goes first and has no answer lets another one go first. Who waits may give up.
func TestGateWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.shut(false, fixed(time.Minute))
		ctx, stop := context.WithCancelCause(t.Context())
		gaveUp := errors.New("gave up")
		time.AfterFunc(time.Second, func() { stop(gaveUp) })
		if _, err := g.pass(ctx); !errors.Is(err, gaveUp) {
			t.Errorf("%v", err)
		}
		if alone, err := g.pass(t.Context()); !alone || err != nil {
			t.Errorf("%t, %v", alone, err)
		}
		g.leave(true, false)
		if alone, err := g.pass(t.Context()); !alone || err != nil {
			t.Errorf("after one without an answer: %t, %v", alone, err)
		}
	})
}
