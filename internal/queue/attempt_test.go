package queue

import (
	"testing"
	"time"
)

// Conflicts use up no attempt, until there were too many in a row.
func TestConflictsInARowAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	s := New(now, Config{Workers: 1, MaxInFlight: 10, MaxBatch: 1, MaxAttempts: 2, Backoff: func(n int) time.Duration { return time.Duration(n) }})
	j := &Job{}
	for n := range maxConflicts {
		if v := s.Judge(now, j, Answer{Means: Conflict}); v.Kind != Retry || j.Attempts() != 0 || v.After != time.Duration(n+1) {
			t.Fatalf("conflict %d: %+v after %d attempts", n+1, v, j.Attempts())
		}
	}
	if v := s.Judge(now, j, Answer{Means: Conflict}); v.Kind != Retry || j.Attempts() != 1 {
		t.Errorf("one too many: %+v after %d attempts", v, j.Attempts())
	}
	if v := s.Judge(now, j, Answer{Means: Conflict}); v.Kind != Bury {
		t.Errorf("the last: %+v", v)
	}
	j = &Job{}
	for range maxConflicts {
		s.Judge(now, j, Answer{Means: Conflict})
	}
	s.Judge(now, j, Answer{Means: Failure})
	if v := s.Judge(now, j, Answer{Means: Conflict}); v.Kind != Retry || j.Attempts() != 1 {
		t.Errorf("after another error: %+v after %d attempts", v, j.Attempts())
	}
}
