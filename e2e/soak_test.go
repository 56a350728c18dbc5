package e2e_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/soak/world"
)

// TestSoak is a world of task soak's, small and for seconds: healthy services of
// both orders, lanes that are full all the time, and registrations, rewinds,
// pauses and drops that go on meanwhile. The server is in this process, where
// what it does on another goroutine comes late enough to be seen.
func TestSoak(t *testing.T) {
	var progress bytes.Buffer
	report, err := world.Run(t.Context(), t, world.Config{
		Kind: world.Dev, Time: 8 * time.Second, Lanes: 6, Rate: 800, Seed: uint64(time.Now().UnixNano()), Settle: 30 * time.Second, Out: &progress, Log: t.Output(),
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.Bytes())
	}
	report.Print(t.Output())
	if err := report.Err(); err != nil {
		t.Errorf("%v\n%s", err, progress.Bytes())
	}
	if report.Copies < 1000 {
		t.Errorf("%d copies", report.Copies)
	}
}
