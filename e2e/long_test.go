package e2e_test

import (
	"os"
	"testing"
	"time"
)

// lengthy is whether the tests of faults run at length: "task faults".
func lengthy() bool { return os.Getenv("REPLHUB_LONG") != "" }

// long skips a test that takes longer than the gate has time for.
func long(t *testing.T) {
	t.Helper()
	if !lengthy() {
		t.Skip("long: task faults or task nine runs it")
	}
}

// times is a number of repetitions: few in the gate, more at length.
func times(few, more int) int {
	if lengthy() {
		return more
	}
	return few
}

// cutTime is how long a cut lasts: at length, for longer than everything that notices one.
func cutTime() time.Duration {
	if lengthy() {
		return 15 * time.Second
	}
	return 300 * time.Millisecond
}
