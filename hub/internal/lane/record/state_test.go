package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

func pos(seq uint64) event.Position { return event.Position{Epoch: 1, Seq: seq} }

func mark(seq uint64) ingest.Mark {
	return ingest.Mark{Position: pos(seq), Time: time.Unix(int64(seq), 0).UTC()}
}

func interest(id, entity string, since uint64) record.Interest {
	return record.Interest{ID: id, Entity: entity, Since: pos(since)}
}

func TestAdd(t *testing.T) {
	live := func(at uint64, in ...record.Interest) record.State {
		return record.State{Interests: in, Pos: mark(at), Phase: record.Live}
	}
	ended := func(s record.State) record.State {
		s.Ended = []string{"before"}
		return s
	}
	tests := []struct {
		name  string
		have  record.State
		add   record.Interest
		pos   uint64
		fills []record.Fill
	}{
		{
			name: "the first interest takes the position along",
			have: live(900), add: interest("a", "user", 1), pos: 0,
		},
		{
			name: "one that begins at the end changes nothing",
			have: live(900, interest("a", "user", 1)), add: interest("b", "tenant", 1001), pos: 900,
		},
		{
			name: "one from before is filled",
			have: live(900, interest("a", "user", 1)), add: interest("b", "tenant", 1), pos: 900,
			fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(0)}},
		},
		{
			name: "interests that have not begun do not keep the position",
			have: live(900, interest("a", "user", 950)), add: interest("b", "tenant", 1), pos: 0,
		},
		{
			name: "one that begins behind the position of an idle lane takes it along",
			have: ended(live(900)), add: interest("a", "user", 951), pos: 950,
		},
		{
			name: "one from before the position of a lane that had copies is filled",
			have: ended(live(900)), add: interest("a", "user", 1), pos: 900,
			fills: []record.Fill{{IDs: []string{"a"}, From: 1, At: mark(0)}},
		},
		{
			name: "so is one beside interests that have not begun",
			have: ended(live(900, interest("a", "user", 950))), add: interest("b", "tenant", 1), pos: 900,
			fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(0)}},
		},
		{
			name: "a second fill waits behind the first",
			have: record.State{
				Interests: []record.Interest{interest("a", "user", 1), interest("b", "tenant", 1)}, Pos: mark(900), Phase: record.Filling,
				Fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(300)}},
			},
			add: interest("c", "order", 100), pos: 900,
			fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(300)}, {IDs: []string{"c"}, From: 100, At: mark(99)}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.have.Clone()
			got := tt.have.Add(tt.add, mark(tt.add.Since.Seq-1))
			if got.Pos.Seq != tt.pos {
				t.Errorf("position %d, want %d", got.Pos.Seq, tt.pos)
			}
			if diff := cmp.Diff(tt.fills, got.Fills); diff != "" {
				t.Errorf("fills (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.have); diff != "" {
				t.Errorf("the state that was added to changed:\n%s", diff)
			}
		})
	}
}

func TestEnd(t *testing.T) {
	s := record.State{
		Interests: []record.Interest{interest("a", "user", 1), interest("b", "tenant", 1), interest("c", "order", 1)},
		Pos:       mark(900), Phase: record.Filling,
		Fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(300)}, {IDs: []string{"c"}, From: 1, At: mark(0)}},
	}
	got := s.End("tenant")
	if got.Find("tenant") != nil || got.Filling("b") || got.Phase != record.Live {
		t.Errorf("the fill under way goes on without its interest: %+v", got)
	}
	if len(got.Ended) != 1 || got.Ended[0] != "b" {
		t.Errorf("ended ids %v, want b", got.Ended)
	}
	if got := s.End("order"); got.Phase != record.Filling || len(got.Fills) != 1 {
		t.Errorf("ending an interest that waits disturbs the fill under way: %+v", got)
	}
	if got := s.End("nothing"); len(got.Interests) != 3 || len(got.Ended) != 0 {
		t.Errorf("ending what is not there changed something: %+v", got)
	}
}

func TestAdvancedMovesThePhasesCursor(t *testing.T) {
	s := record.State{
		Interests: []record.Interest{interest("b", "tenant", 1)}, Pos: mark(900), Phase: record.Filling,
		Fills: []record.Fill{{IDs: []string{"b"}, From: 1, At: mark(300)}},
	}
	got := s.Advanced(mark(400))
	if got.Pos.Seq != 900 || got.Fills[0].At.Seq != 400 || s.Fills[0].At.Seq != 300 {
		t.Errorf("in a fill: %+v from %+v", got, s)
	}
	if got := s.In(record.Live).Advanced(mark(950)); got.Pos.Seq != 950 || got.Fills[0].At.Seq != 300 {
		t.Errorf("live: %+v", got)
	}
	if low, needs := s.Lowest(); !needs || low != pos(300) {
		t.Errorf("lowest %v %v, want 300", low, needs)
	}
	if _, needs := s.Detach("", "x", time.Now()).Lowest(); needs {
		t.Error("a detached lane still keeps ingest")
	}
}
