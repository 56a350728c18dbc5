package e2e_test

import "time"

// times is a number of repetitions: few in the gate, more at length.
func times(few, more int) int {
	if lengthy {
		return more
	}
	return few
}

// cutTime is how long a cut lasts: at length, for longer than everything that notices one.
func cutTime() time.Duration {
	if lengthy {
		return 15 * time.Second
	}
	return 300 * time.Millisecond
}
