package hub

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

func name(t *testing.T, text string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Only the server's explicit word that a lane does not exist lets a trim pass it.
func TestStandingOfLanesThatCannotBeRead(t *testing.T) {
	mark := func(seq uint64) ingest.Mark { return ingest.Mark{Position: event.Position{Epoch: 1, Seq: seq}} }
	interests := []lane.Interest{{ID: "1"}}
	for what, c := range map[string]struct {
		state lane.State
		err   error
		want  retention.Standing
	}{
		"has interests":      {state: lane.State{Interests: interests, Pos: mark(40)}, want: retention.Standing{Needs: true, At: mark(40)}},
		"fills":              {state: lane.State{Interests: interests, Pos: mark(40), Fills: []lane.Fill{{At: mark(30)}, {At: mark(20)}}}, want: retention.Standing{Needs: true, At: mark(20)}},
		"fills from rows":    {state: lane.State{Interests: interests, Pos: mark(40), Fills: []lane.Fill{{Snapshot: &lane.Snapshot{}}}}, want: retention.Standing{Needs: true, At: mark(40)}},
		"wants nothing":      {state: lane.State{Pos: mark(40)}, want: retention.Standing{At: mark(40)}},
		"was detached":       {state: lane.State{Interests: interests, Detached: &lane.Detached{}}, want: retention.Standing{}},
		"does not exist":     {err: lane.ErrNoLane, want: retention.Standing{Gone: true}},
		"is somebody else's": {err: fmt.Errorf("%w: %w", lane.ErrNoLane, &hubstream.ForeignError{Stream: "SUB_s"}), want: retention.Standing{Gone: true}},
		"does not answer":    {err: nats.ErrTimeout, want: retention.Standing{Err: nats.ErrTimeout}},
		"has lost its state": {err: lane.ErrStateLost, want: retention.Standing{Err: lane.ErrStateLost}},
		"is a newer hub's":   {err: lane.ErrNewer, want: retention.Standing{Err: lane.ErrNewer}},
	} {
		if got := standing(c.state, c.err); got != c.want {
			t.Errorf("a lane that %s: %+v, want %+v", what, got, c.want)
		}
	}
}
