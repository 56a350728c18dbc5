package e2e_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/soak/world"
)

// TestSoak is task soak's world of one node, small and for seconds: healthy
// services of both orders, lanes that are full all the time, and registrations,
// rewinds, pauses and drops that go on meanwhile.
func TestSoak(t *testing.T) {
	var progress bytes.Buffer
	report, err := world.Run(t.Context(), t, world.Config{
		Time: 8 * time.Second, Lanes: 6, Seed: uint64(time.Now().UnixNano()), Out: &progress, Log: t.Output(),
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
