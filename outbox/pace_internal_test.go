package outbox

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct{ since, longest, want time.Duration }{
		{0, 10 * time.Millisecond, time.Millisecond},
		{3 * time.Millisecond, 10 * time.Millisecond, 1500 * time.Microsecond},
		{18 * time.Millisecond, 10 * time.Millisecond, 9 * time.Millisecond},
		{time.Hour, 10 * time.Millisecond, 10 * time.Millisecond},
		{-time.Second, 10 * time.Millisecond, time.Millisecond},
		{0, 100 * time.Microsecond, 100 * time.Microsecond},
	} {
		p := pace{sign: now.Add(-c.since)}
		if got := p.wait(now, c.longest); got != c.want {
			t.Errorf("%s after the last sign, at most %s: %s, want %s", c.since, c.longest, got, c.want)
		}
	}
}

// However quickly hints come, the look comes.
func TestHintsDoNotPutTheLookOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{cfg: RelayConfig{Poll: time.Minute}, hint: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
		stop := make(chan struct{})
		var box Outbox
		box.audience.join(r)
		defer box.audience.leave(r)
		go func() {
			for {
				box.audience.expect()
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Microsecond):
				}
			}
		}()
		began := time.Now()
		r.rest(t.Context())
		close(stop)
		if took := time.Since(began); took > 2*time.Millisecond {
			t.Errorf("the relay looked after %s", took)
		}
	})
}

// What other processes commit waits for the next look alone, which is some
// milliseconds away by default.
func TestIdleRelayLooksEveryFewMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{cfg: RelayConfig{}.withDefaults()}
		for range 100 {
			began := time.Now()
			r.rest(t.Context())
			if took := time.Since(began); took < 2*time.Millisecond || took > 8*time.Millisecond {
				t.Fatalf("%s between two looks", took)
			}
		}
	})
}
