package queue

import (
	"testing"
	"time"
)

// While a machine is suspended the monotonic clock stands, and the wall's goes on.
func TestLeaseGoesByTheWallToo(t *testing.T) {
	now := time.Now()
	l := lease{from: now, ttl: 3 * time.Second}
	if wall := now.Round(0).Add(time.Minute); !l.over(wall) {
		t.Error("a minute on the wall clock is no time")
	}
	if wall := now.Round(0).Add(3 * time.Second); l.over(wall) {
		t.Error("over before its time")
	}
}
