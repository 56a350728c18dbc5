package record

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

var (
	farMark = ingest.Mark{
		Position: event.Position{Epoch: math.MaxUint64, Seq: math.MaxUint64},
		Time:     time.Date(2026, 11, 22, 23, 34, 15, 983613391, time.UTC),
	}
	longKey    = strings.Repeat(`"`, event.MaxKey)
	longName   = strings.Repeat("n", 63)
	longReason = strings.Repeat(`"`, 10_000)
)

// fullState has as many interests as are accepted: with one more it is refused.
func fullState(t *testing.T, maxPayload int64, add func(s State, in Interest) State) State {
	t.Helper()
	with := func(n int) State {
		s := First(ingest.Mark{}, DefaultQueue(), 1<<30)
		s.Interests = []Interest{{ID: strings.Repeat("i", 22), Entity: "first", Definition: contract.Definition{Ops: []string{"update"}}, Since: event.Position{Epoch: 1, Seq: 1}}}
		for i := range n {
			s = add(s, Interest{
				ID: fmt.Sprintf("%022d", i), Entity: fmt.Sprintf("entity-%d", i), Definition: contract.Definition{Ops: []string{"create"}},
				Since: event.Position{Epoch: 1, Seq: 1}, Rev: 1,
			})
		}
		return s
	}
	n := sort.Search(1000, func(n int) bool {
		s := with(n)
		_, err := s.Bounded(State{}, maxPayload)
		large, refused := errors.AsType[*StateTooLargeError](err)
		if refused && (large.Size <= large.Most || large.MaxPayload != maxPayload) {
			t.Errorf("max_payload %d, %d interests: refused with %+v", maxPayload, n, large)
		}
		return refused
	})
	if n == 0 || n == 1000 {
		t.Fatalf("max_payload %d: %d interests are refused", maxPayload, n)
	}
	return with(n - 1)
}

// What a lane may come to after a registration was accepted, all at once.
func worst(s State, maxPayload int64) State {
	s = s.Clone()
	s.Pos, s.QueueFrom, s.Dropped = farMark, math.MaxUint64, true
	for len(s.Redriven) < MostRedriven(maxPayload) {
		s.Redriven = append(s.Redriven, LetterID{Seq: math.MaxUint64, Time: farMark.Time})
	}
	s.Rewound = &Rewound{
		ID: strings.Repeat("r", 22), From: math.MaxUint64, Starts: make(map[string]uint64), PausedUntil: &farMark.Time,
		Hub: strings.Repeat("h", 64), Begun: farMark.Time, Done: true,
	}
	for _, consumer := range Consumers(s.Queue) {
		s.Rewound.Starts[consumer] = math.MaxUint64
	}
	for range maxFilled {
		s.Filled = append(s.Filled, Filled{
			ID: strings.Repeat("f", 22), Entity: longName, Rows: math.MaxUint64, Began: farMark.Time, Ended: farMark.Time,
		})
	}
	for i, f := range s.Fills {
		if f.Snapshot == nil {
			s.Fills[i].At = farMark
			continue
		}
		moved := *f.Snapshot
		moved.Row, moved.After, moved.Origin = math.MaxUint64, longKey, longName
		s.Fills[i].Snapshot = &moved
	}
	return s
}

// TestAcceptedStateFitsWhateverComes: a record that was accepted can always be
// written again, however its lane's cursors, letters and interests move.
func TestAcceptedStateFitsWhateverComes(t *testing.T) {
	states := map[string]func(State, Interest) State{
		"partitions": func(s State, in Interest) State {
			s.Queue.Order, s.Queue.Partitions = OrderKey, 100
			return s.Add(in, ingest.Mark{})
		},
		"short": func(s State, in Interest) State { return s.Add(in, ingest.Mark{}) },
		"filtered": func(s State, in Interest) State {
			in.Filter = strings.Repeat(`a<b&&"c"`, 50)
			return s.Add(in, ingest.Mark{})
		},
		"filling": func(s State, in Interest) State {
			s = s.Add(in, s.Pos)
			s.Fills = append(s.Fills, Fill{IDs: []string{in.ID}, From: 1})
			return s
		},
		"snapshots": func(s State, in Interest) State { return s.AddSnapshot(in, ingest.Mark{}, time.Unix(0, 0).UTC()) },
		"backfills": func(s State, in Interest) State {
			s = s.Add(in, ingest.Mark{})
			return s.Backfill(in, Backfill{ID: strings.Repeat("b", 22), Filter: "key == '1'", At: farMark.Position, Began: farMark.Time})
		},
	}
	changes := map[string]func(State, int64) State{
		"everything grows": worst,
		"and is detached": func(s State, maxPayload int64) State {
			return worst(s, maxPayload).Detach(contract.TroubleIngestFull, longReason, farMark.Time)
		},
		"and all end": func(s State, maxPayload int64) State {
			s = worst(s, maxPayload)
			for _, in := range s.Interests {
				s = s.End(in.Entity)
			}
			return s
		},
		"and half end": func(s State, maxPayload int64) State {
			s = worst(s, maxPayload)
			for _, in := range s.Interests[:len(s.Interests)/2] {
				s = s.End(in.Entity)
			}
			return s
		},
	}
	for _, maxPayload := range []int64{20 << 10, 40 << 10, 96 << 10} {
		for kind, add := range states {
			full := fullState(t, maxPayload, add)
			for name, change := range changes {
				changed := change(full, maxPayload)
				data, err := Encode(changed)
				if err != nil {
					t.Fatal(err)
				}
				if err := CheckSize(data, maxPayload); err != nil {
					t.Errorf("max_payload %d, %d interests, %s, %s: %v", maxPayload, len(full.Interests), kind, name, err)
				}
			}
		}
	}
}

// TestBoundedOnTheWayBack: where max_payload was lowered, a registration may
// make the record smaller, and not larger.
func TestBoundedOnTheWayBack(t *testing.T) {
	short := func(s State, in Interest) State { return s.Add(in, ingest.Mark{}) }
	s := fullState(t, 64<<10, short)
	lowered, err := s.size()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bounded(s, int64(lowered)); err != nil {
		t.Errorf("as large as before: %v", err)
	}
	if _, err := s.End("first").Bounded(s, int64(lowered)); err != nil {
		t.Errorf("smaller than before: %v", err)
	}
	more := short(s, Interest{ID: "more", Entity: "more"})
	if _, err := more.Bounded(s, int64(lowered)); err == nil {
		t.Error("it may grow")
	}
	for range 2000 {
		s.Ended = append(s.Ended, strings.Repeat("e", 22))
	}
	if kept, _ := s.Bounded(s, 64<<10); len(kept.Ended) != mostEnded(64<<10) {
		t.Errorf("%d ended interests are remembered", len(kept.Ended))
	}
}
