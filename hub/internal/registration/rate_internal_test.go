package registration

import (
	"testing"
	"time"
)

// A burst of one second's worth passes, then as many as the time allows.
func TestRate(t *testing.T) {
	r, at := newRate(2), time.Unix(100, 0)
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{0, true},
		{0, false},
		{400 * time.Millisecond, false},
		{100 * time.Millisecond, true},
		{0, false},
		{time.Hour, true},
		{0, true},
		{0, false},
		{-time.Hour, false},
		{time.Hour + time.Second, true},
	} {
		if at = at.Add(step.after); r.take(at) != step.want {
			t.Errorf("step %d: want %v", i, step.want)
		}
	}
	none := newRate(0)
	for range 1000 {
		if !none.take(at) {
			t.Fatal("no bound refuses")
		}
	}
}
