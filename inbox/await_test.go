package inbox_test

import (
	"testing"
	"time"
)

// await waits until condition holds, which others bring about.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the condition did not come about in 10s")
		}
	}
}
