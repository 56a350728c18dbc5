package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

func began() time.Time { return time.Unix(1000, 0).UTC() }

func TestAddSnapshot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		have   record.State
		before uint64
		since  uint64
		pos    uint64
	}{
		{"the first interest takes the position along", record.State{Pos: mark(5), Phase: record.Live}, 900, 901, 900},
		{"a lane that is behind stays there", record.State{Interests: []record.Interest{interest("a", "tenant", 1)}, Pos: mark(300)}, 900, 901, 300},
		{"one that is further has no gap to fill", record.State{Interests: []record.Interest{interest("a", "tenant", 1)}, Pos: mark(950)}, 900, 951, 950},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.have.Clone()
			got := tt.have.AddSnapshot(interest("b", "user", tt.before+1), mark(tt.before), began())
			if in := got.Find("user"); in == nil || in.Since != pos(tt.since) {
				t.Errorf("interest %+v, want since %d", in, tt.since)
			}
			if got.Pos.Seq != tt.pos || !got.Live("b") || !got.Filling("b") {
				t.Errorf("position %d, want %d; live %v, filling %v", got.Pos.Seq, tt.pos, got.Live("b"), got.Filling("b"))
			}
			if diff := cmp.Diff([]record.Fill{{IDs: []string{"b"}, Snapshot: &record.Snapshot{Began: began()}}}, got.Fills); diff != "" {
				t.Errorf("fills (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.have); diff != "" {
				t.Errorf("the state that was added to changed:\n%s", diff)
			}
			if low, _ := got.Lowest(); low != pos(tt.pos) {
				t.Errorf("keeps ingest from %v", low)
			}
		})
	}
}

func TestSnapshotBesideAFill(t *testing.T) {
	s := record.State{
		Interests: []record.Interest{interest("a", "tenant", 1)}, Pos: mark(900), Phase: record.Filling,
		Fills: []record.Fill{{IDs: []string{"a"}, From: 1, At: mark(300)}},
	}.AddSnapshot(interest("b", "user", 901), mark(900), began())
	if s.Live("a") || !s.Live("b") {
		t.Errorf("live: a %v, b %v", s.Live("a"), s.Live("b"))
	}
	rows := s.InFill(1)
	moved := rows.AdvancedRow(7, "k7", "accounts")
	if s.Fills[0].Snapshot != nil || rows.Fills[0].Snapshot.Row != 0 {
		t.Errorf("a state that was moved from changed: %+v, %+v", s.Fills, rows.Fills)
	}
	want := []record.Fill{
		{IDs: []string{"b"}, Snapshot: &record.Snapshot{Row: 7, After: "k7", Origin: "accounts", Began: began()}},
		{IDs: []string{"a"}, From: 1, At: mark(300)},
	}
	if diff := cmp.Diff(want, moved.Fills); diff != "" || moved.Phase != record.Filling {
		t.Errorf("phase %s, fills (-want +got):\n%s", moved.Phase, diff)
	}
	if ended := moved.End("user"); ended.Phase != record.Live || len(ended.Fills) != 1 || ended.Filling("b") {
		t.Errorf("the snapshot outlives its interest: %+v", ended)
	}
	if done := moved.FillDone(); done.Phase != record.Live || done.Filling("b") || !done.Live("b") {
		t.Errorf("done: %+v", done)
	}
}
