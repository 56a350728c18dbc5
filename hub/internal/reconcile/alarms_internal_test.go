package reconcile

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/replhub/replhub/hub/internal/alarm"
)

// An alarm about a record goes when a look no longer raises it, and stays where a look
// could not judge.
func TestAlarmsGoWithTheirRecords(t *testing.T) {
	set := alarm.New(slog.New(slog.DiscardHandler))
	a := recordAlarms{alarms: set}
	look := func(raise, keep []string, want ...string) {
		t.Helper()
		a.begin()
		for _, path := range raise {
			a.raise(path, path)
		}
		for _, path := range keep {
			a.keep(path)
		}
		a.end()
		if got := set.Texts(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	look([]string{"a", "b"}, nil, "a", "b")
	look([]string{"b"}, []string{"a"}, "a", "b")
	look([]string{"b"}, []string{"never raised"}, "b")
	look(nil, nil)

	a.begin()
	for i := range maxMisnamed + 5 {
		a.raiseMisnamed(string(rune('A'+i)), "misnamed")
	}
	a.end()
	if n := len(set.Texts()); n != maxMisnamed+1 {
		t.Errorf("%d alarms", n)
	}
	look(nil, nil)
}
