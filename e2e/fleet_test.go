package e2e_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// takeWithin bounds how long a lane may stand still while hubs die, come and go.
const takeWithin = 5 * time.Second

// fleet is several hubs that share lanes under load.
type fleet struct {
	t     *testing.T
	w     *harness.World
	hubs  map[string]*harness.Hub
	lanes []string
}

// TestFleet kills a hub, lets it come back, adds one, and restarts one in good order, all
// under load. No lane stands still for longer than five seconds, each hub has its
// share, and nothing is lost or copied twice.
func TestFleet(t *testing.T) {
	for _, registry := range registries() {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 21})
			f := &fleet{t: t, w: w, hubs: make(map[string]*harness.Hub)}
			for _, id := range []string{"h1", "h2", "h3"} {
				f.hubs[id] = w.StartHub(id)
			}
			for i := range 30 {
				f.lanes = append(f.lanes, fmt.Sprintf("s%d", i))
				w.Register(f.lanes[i], want("user"))
			}
			writers := w.Write(harness.Load{Writers: 2, Every: 5 * time.Millisecond, Entities: []string{"user"}}, 0)
			f.shared("begin", "h1", "h2", "h3")

			f.hubs["h1"].Kill()
			f.shared("a hub was killed", "h2", "h3")
			f.hubs["h1"].Launch()
			f.shared("it came back", "h1", "h2", "h3")
			f.hubs["h4"] = w.LaunchHub("h4")
			f.shared("one was added", "h1", "h2", "h3", "h4")
			f.hubs["h2"].Stop()
			f.shared("one was stopped", "h1", "h3", "h4")
			f.hubs["h2"].Launch()
			f.shared("it was started again", "h1", "h2", "h3", "h4")
			writers.Stop()
			w.Finish("fleet", 5, settleWithin)
		})
	}
}

// shared waits until the lanes belong to these hubs, to each of them its share within a
// tenth or one lane, and until every lane has gone on since then. Meanwhile no lane may stand still for too long.
func (f *fleet) shared(what string, ids ...string) {
	f.t.Helper()
	began := time.Now()
	moved := make(map[string]time.Time, len(f.lanes)) // when each lane last went on
	at := make(map[string]uint64, len(f.lanes))
	for _, lane := range f.lanes {
		moved[lane] = began
	}
	var slowest, took time.Duration
	var shares map[string]int
	var target uint64 // an event that was published when the lanes were shared
	f.w.Eventually(what, settleWithin, func() error {
		for _, lane := range f.lanes {
			if pos := f.w.Position(lane); pos != at[lane] {
				slowest = max(slowest, time.Since(moved[lane]))
				at[lane], moved[lane] = pos, time.Now()
			}
		}
		if shares = f.shares(); len(shares) != len(ids) {
			return fmt.Errorf("the lanes are shared out as %v", shares)
		}
		for _, id := range ids {
			// In parts of a lane, so that nothing is rounded.
			if off := 10 * (shares[id]*len(ids) - len(f.lanes)); max(off, -off) > max(len(f.lanes), 10*len(ids)-1) {
				return fmt.Errorf("%s has not its share of %v", id, shares)
			}
		}
		if target == 0 {
			took, target = time.Since(began), f.w.LastSeq("")+1
		}
		if anyBelow(at, target) {
			return errors.New("not every lane has gone on")
		}
		return nil
	})
	f.t.Logf("FLEET %s: shared out after %d ms as %v, the longest standstill of a lane %d ms", what, took.Milliseconds(), shares, slowest.Milliseconds())
	if took > takeWithin || slowest > takeWithin {
		f.t.Errorf("%s: the lanes were shared out after %s, and one stood still for %s", what, took, slowest)
	}
}

func anyBelow(at map[string]uint64, target uint64) bool {
	for _, pos := range at {
		if pos < target {
			return true
		}
	}
	return false
}

// shares are how many lanes each hub owns, as one of them says.
func (f *fleet) shares() map[string]int {
	var services contract.Services
	if err := f.w.Call("replhub.services", `{}`, &services); err != nil {
		return nil // the hub that was asked is gone
	}
	shares := make(map[string]int)
	for i := range services.Services {
		shares[services.Services[i].Owner]++
	}
	return shares
}
