package lanes

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/subjects"
)

// A stream that is created while its predecessor is being deleted loses its folder: a
// lane that was found gone waits for the deletion's time, unless its end is known.
func TestNoLaneIsCreatedWithinADeletion(t *testing.T) {
	service, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		began := time.Now()
		create := func() time.Duration {
			t.Helper()
			if err := s.MayCreate(t.Context(), service); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if waited := create(); waited != 0 {
			t.Errorf("waited %s for a lane that never was", waited)
		}
		s.gone[service] = began
		if waited := create(); waited <= hubstream.DeletionTime {
			t.Errorf("waited %s of %s", waited, hubstream.DeletionTime)
		}
		began = time.Now()
		s.gone[service] = began
		s.Deleted(service)
		if waited := create(); waited != 0 {
			t.Errorf("waited %s though the deletion has ended", waited)
		}
	})
}

func TestLackingByPart(t *testing.T) {
	a, err := subjects.ParseName("a")
	if err != nil {
		t.Fatal(err)
	}
	var l Lacking
	if l.Clear(a, Stream); l.Lacks(a, Stream) || len(l.Texts()) != 0 {
		t.Error("lacks something at first")
	}
	l.Set(a, Stream, "its stream")
	l.Set(a, Consumers, "a consumer")
	l.Set(a, Consumers, "two consumers")
	if got := l.Texts(); !slices.Equal(got, []string{"its stream", "two consumers"}) {
		t.Errorf("%q", got)
	}
	if l.Clear(a, Stream); l.Lacks(a, Stream) || !l.Lacks(a, Consumers) {
		t.Error("one part is cleared with another")
	}
}
