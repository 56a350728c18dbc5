package ingest

import "testing"

func TestTakesBatches(t *testing.T) {
	for version, want := range map[string]bool{
		"2.12.3": false, "2.13.9": false, "2.14.0": true, "2.14.0-RC.1": true, "2.15.2": true, "3.0.0": true, "1.99.0": false, "": false, "dev": false,
	} {
		if got := takesBatches(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
