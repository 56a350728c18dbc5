package budget_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/budget"
)

func TestSharesAreGivenInOrder(t *testing.T) {
	b := budget.New(10)
	a := b.Ask(6)
	large := b.Ask(8)
	small := b.Ask(1)
	if !a.Given() || large.Given() || small.Given() {
		t.Fatalf("given: %t %t %t; a small one must not overtake a large one for ever", a.Given(), large.Given(), small.Given())
	}
	if b.Try(1) != nil {
		t.Error("Try overtakes those that wait")
	}
	a.Shrink(2)
	if !large.Given() || small.Given() {
		t.Fatalf("after 4 came back: %t %t", large.Given(), small.Given())
	}
	a.End()
	a.End()
	if !small.Given() || b.Waiting() != 0 {
		t.Fatalf("after 6: %t, %d wait", small.Given(), b.Waiting())
	}
	large.End()
	small.End()
	if s := b.Try(10); s == nil {
		t.Error("not all of it came back")
	}
}

func TestWhoNoLongerWaitsHoldsNobodyUp(t *testing.T) {
	b := budget.New(10)
	a, large, small := b.Ask(6), b.Ask(8), b.Ask(1)
	large.End()
	if !small.Given() {
		t.Error("still waits behind one that has gone")
	}
	large.Shrink(0)
	a.End()
	small.End()
	if b.Try(10) == nil {
		t.Error("not all of it came back")
	}
	var none *budget.Share
	none.End()
}

// A share that is larger than all there is passes alone.
func TestLargerThanTheBudget(t *testing.T) {
	b := budget.New(10)
	a := b.Ask(1)
	large := b.Ask(1000)
	if large.Given() {
		t.Error("beside another")
	}
	a.End()
	if !large.Given() || b.Try(1) != nil {
		t.Error("not alone")
	}
	large.End()
	if b.Try(10) == nil {
		t.Error("not all of it came back")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(1)
		a := b.Try(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		a.End()
		s, err := b.Wait(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		s.End()
	})
}

func TestNeverMoreThanThereIs(t *testing.T) {
	b := budget.New(100)
	var held atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				n := 1 + rand.Int64N(120)
				s, err := b.Wait(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				n = min(n, 100)
				if now := held.Add(n); now > 100 {
					t.Errorf("%d of 100 held", now)
				}
				held.Add(-n)
				s.End()
			}
		})
	}
	wg.Wait()
}
