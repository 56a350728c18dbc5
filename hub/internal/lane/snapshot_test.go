package lane_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

func began() time.Time { return time.Unix(1000, 0).UTC() }

func TestAddSnapshot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		have   lane.State
		before uint64
		since  uint64
		pos    uint64
	}{
		{"the first interest takes the position along", lane.State{Pos: mark(5), Phase: lane.Live}, 900, 901, 900},
		{"a lane that is behind stays there", lane.State{Interests: []lane.Interest{interest("a", "tenant", 1)}, Pos: mark(300)}, 900, 901, 300},
		{"one that is further has no gap to fill", lane.State{Interests: []lane.Interest{interest("a", "tenant", 1)}, Pos: mark(950)}, 900, 951, 950},
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
			if diff := cmp.Diff([]lane.Fill{{IDs: []string{"b"}, Snapshot: &lane.Snapshot{Began: began()}}}, got.Fills); diff != "" {
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
	s := lane.State{
		Interests: []lane.Interest{interest("a", "tenant", 1)}, Pos: mark(900), Phase: lane.Filling,
		Fills: []lane.Fill{{IDs: []string{"a"}, From: 1, At: mark(300)}},
	}.AddSnapshot(interest("b", "user", 901), mark(900), began())
	if s.Live("a") || !s.Live("b") {
		t.Errorf("live: a %v, b %v", s.Live("a"), s.Live("b"))
	}
	rows := s.InFill(1)
	moved := rows.AdvancedRow(7, "k7", "accounts")
	if s.Fills[0].Snapshot != nil || rows.Fills[0].Snapshot.Row != 0 {
		t.Errorf("a state that was moved from changed: %+v, %+v", s.Fills, rows.Fills)
	}
	want := []lane.Fill{
		{IDs: []string{"b"}, Snapshot: &lane.Snapshot{Row: 7, After: "k7", Origin: "accounts", Began: began()}},
		{IDs: []string{"a"}, From: 1, At: mark(300)},
	}
	if diff := cmp.Diff(want, moved.Fills); diff != "" || moved.Phase != lane.Filling {
		t.Errorf("phase %s, fills (-want +got):\n%s", moved.Phase, diff)
	}
	if ended := moved.End("user"); ended.Phase != lane.Live || len(ended.Fills) != 1 || ended.Filling("b") {
		t.Errorf("the snapshot outlives its interest: %+v", ended)
	}
	if done := moved.FillDone(); done.Phase != lane.Live || done.Filling("b") || !done.Live("b") {
		t.Errorf("done: %+v", done)
	}
}

// The end of a lane says which row of a snapshot comes next, in the phase of the
// snapshot and in no other.
func TestTipOfASnapshot(t *testing.T) {
	live := func() map[string][]string {
		return map[string][]string{
			contract.HeaderSeq: {"900"}, contract.HeaderEpoch: {"1"},
			contract.HeaderTime: {began().Format(time.RFC3339Nano)},
		}
	}
	message := func(h map[string][]string) lane.Message {
		return lane.Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(h)}
	}
	row := func(n int) lane.Message {
		h := live()
		h[contract.HeaderKey] = []string{"k" + strconv.Itoa(n)}
		h[contract.HeaderOrigin] = []string{"accounts"}
		h[contract.HeaderChunk] = []string{strconv.Itoa(n)}
		return message(h)
	}
	in := lane.State{Pos: mark(800), Phase: lane.Live}.AddSnapshot(interest("b", "user", 801), mark(800), began())
	moved := in.InFill(0).AdvancedRow(3, "k3", "accounts")
	past := in
	past.Pos = mark(900)
	past.Pos.Time = began()
	for _, tt := range []struct {
		name    string
		state   lane.State
		msgs    []lane.Message
		want    lane.State
		foreign int
	}{
		{"rows", in.InFill(0), []lane.Message{row(1), row(2), row(3)}, moved, 0},
		{"an event of live copying", in, []lane.Message{message(live())}, past, 0},
		{"a row where none belongs", in, []lane.Message{message(live()), row(3)}, past, 1},
		{"an event among rows", in.InFill(0), []lane.Message{row(3), message(live())}, moved, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			js := natstest.Start(t).JetStream()
			a, err := lane.NewAppender(js, lane.Fast)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			service, err := subjects.ParseName("s")
			if err != nil {
				t.Fatal(err)
			}
			if err := lane.Create(t.Context(), js, a, service, 1, tt.state, "h"); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Append(t.Context(), "SUB_s", 1, tt.msgs); err != nil {
				t.Fatal(err)
			}
			tip, err := lane.ReadTip(t.Context(), js, service)
			if err != nil || tip.Foreign != tt.foreign {
				t.Fatalf("%d foreign messages, %v", tip.Foreign, err)
			}
			if diff := cmp.Diff(tt.want.Fills, tip.State.Fills); diff != "" {
				t.Errorf("fills (-want +got):\n%s", diff)
			}
			if tip.State.Pos != tt.want.Pos {
				t.Errorf("position %v, want %v", tip.State.Pos, tt.want.Pos)
			}
			if tip.State.Form != 2 {
				t.Errorf("a record of form %d: a hub that knows no snapshots would take it for another fill", tip.State.Form)
			}
		})
	}
}
