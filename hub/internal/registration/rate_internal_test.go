package registration

import (
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/subjects"
)

func service(t *testing.T, text string) subjects.Name {
	t.Helper()
	name, err := subjects.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// The memory of rates is bounded: services beyond it share what one may have, until others
// have been idle.
func TestRateOfManyServices(t *testing.T) {
	r, at := newRate(1), time.Unix(100, 0)
	for i := range maxBuckets {
		if !r.take(service(t, fmt.Sprintf("s%d", i)), at) {
			t.Fatal(i)
		}
	}
	if a, b := r.take(service(t, "a"), at), r.take(service(t, "b"), at); !a || b {
		t.Errorf("beyond the bound: %v, %v", a, b)
	}
	if !r.take(service(t, "c"), at.Add(time.Minute)) || len(r.buckets) != 1 {
		t.Errorf("%d buckets", len(r.buckets))
	}
}

// A burst of one second's worth passes, then as many as the time allows.
func TestRate(t *testing.T) {
	r, at := newRate(2), time.Unix(100, 0)
	one, other := service(t, "one"), service(t, "other")
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
		if at = at.Add(step.after); r.take(one, at) != step.want {
			t.Errorf("step %d: want %v", i, step.want)
		}
	}
	if !r.take(one, at) || r.take(one, at) || !r.take(other, at) {
		t.Error("one service takes what another has")
	}
	none := newRate(0)
	for range 1000 {
		if !none.take(one, at) {
			t.Fatal("no bound refuses")
		}
	}
}
