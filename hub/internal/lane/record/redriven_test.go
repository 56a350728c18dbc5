package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

func TestForget(t *testing.T) {
	id := func(seq uint64, at int64) record.LetterID { return record.LetterID{Seq: seq, Time: time.Unix(at, 0)} }
	s := record.State{Redriven: []record.LetterID{id(1, 1), id(2, 2), id(3, 3)}}
	next := s.Forget([]record.LetterID{id(2, 2), id(3, 9)})
	if diff := cmp.Diff([]record.LetterID{id(1, 1), id(3, 3)}, next.Redriven); diff != "" {
		t.Error(diff)
	}
	if len(s.Redriven) != 3 {
		t.Error("the state itself was changed")
	}
	if s.HasRedriven(id(1, 9)) || !s.HasRedriven(id(1, 1)) {
		t.Error("a letter is known by its sequence and its time")
	}
}
