package mirror_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/internal/tree/mirror"
)

// pass lets time pass in the test's bubble.
func pass(d time.Duration) { <-time.After(d) }

// However many changes there are, steps take a tenth of the time.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		step time.Duration
		most int // steps within 10 s
	}{{time.Millisecond, 1000}, {10 * time.Millisecond, 100}, {time.Second, 5}} {
		synctest.Test(t, func(t *testing.T) {
			var p mirror.Pace
			steps := 0
			for began := time.Now(); time.Since(began) < 10*time.Second; pass(time.Until(p.Next())) {
				if !p.Due() {
					t.Fatal("a step is not due when it is said to be")
				}
				p.Step(func() { pass(tt.step) })
				if p.Due() {
					t.Fatal("two steps one right after the other")
				}
				steps++
			}
			if steps < tt.most || steps > tt.most+1 {
				t.Errorf("%d steps of %s in 10 s, want %d", steps, tt.step, tt.most)
			}
		})
	}
}
