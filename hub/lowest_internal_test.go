package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
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
func TestNeedOfLanesThatCannotBeRead(t *testing.T) {
	standing := func(seq uint64) lane.State {
		return lane.State{Interests: []lane.Interest{{ID: "1"}}, Pos: ingest.Mark{Position: event.Position{Epoch: 1, Seq: seq}}}
	}
	for what, c := range map[string]struct {
		state   lane.State
		err     error
		unknown bool
		seq     uint64
	}{
		"stands behind":        {state: standing(40), seq: 40},
		"stands ahead":         {state: standing(90), seq: 80},
		"of an earlier stream": {state: lane.State{Interests: []lane.Interest{{ID: "1"}}}, seq: 0},
		"wants nothing":        {state: lane.State{}, seq: 80},
		"does not exist":       {err: lane.ErrNoLane, seq: 80},
		"is somebody else's":   {err: fmt.Errorf("%w: %w", lane.ErrNoLane, &hubstream.ForeignError{Stream: "SUB_s"}), seq: 80},
		"does not answer":      {err: nats.ErrTimeout, unknown: true, seq: 80},
		"has lost its state":   {err: lane.ErrStateLost, unknown: true, seq: 80},
		"is a newer hub's":     {err: lane.ErrNewer, unknown: true, seq: 80},
		"is in any trouble":    {err: errors.New("disk on fire"), unknown: true, seq: 80},
	} {
		n := need{seq: 80, unknown: make(map[subjects.Name]error)}
		n.take(name(t, "s"), c.state, c.err, func(uint64) uint64 { return 1 })
		if _, unknown := n.unknown[name(t, "s")]; unknown != c.unknown || n.seq != c.seq || n.pinned != (c.seq < 80) {
			t.Errorf("a lane that %s: unknown %v, needs %d, pinned %v; want %v, %d", what, unknown, n.seq, n.pinned, c.unknown, c.seq)
		}
	}
}

func TestUnknownLanesSayWhatToDo(t *testing.T) {
	var u unknownLanes
	log := slog.New(slog.DiscardHandler)
	u.set(log, map[subjects.Name]error{name(t, "b"): nats.ErrTimeout, name(t, "a"): nats.ErrTimeout})
	texts := u.degraded()
	if len(texts) != 2 || !strings.Contains(texts[0], "lane a") || !strings.Contains(texts[0], "replhub drop a --lost") {
		t.Errorf("degraded %q", texts)
	}
	since := u.lanes[name(t, "a")].since
	u.set(log, map[subjects.Name]error{name(t, "a"): nats.ErrTimeout})
	if texts := u.degraded(); len(texts) != 1 || !u.lanes[name(t, "a")].since.Equal(since) {
		t.Errorf("degraded %q, since %s; want one, since %s", texts, u.lanes[name(t, "a")].since, since)
	}
	u.set(log, nil)
	if texts := u.degraded(); len(texts) != 0 {
		t.Errorf("degraded %q", texts)
	}
}
