package hub_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/wire"
)

// On a cluster every stream has three replicas, appends are atomic batches, and
// leaders move while two hubs that both own everything copy.
func TestReplicatedLanesKeepTheirOrderWhileLeadersMove(t *testing.T) {
	w := newCluster(t)
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	w.register("s", `{"entities":["user"]}`)
	for _, name := range []string{wire.StreamIngest, wire.StreamDLQ, wire.StreamLedger, "SUB_s"} {
		if n := w.stream(name).CachedInfo().Config.Replicas; n != 3 {
			t.Errorf("stream %s has %d replicas", name, n)
		}
	}
	const events = 3000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range events {
			w.eventually("an event to be acknowledged", func() error {
				return w.publishOnce(fmt.Sprintf("id-%d", i), "db.user.update", fmt.Sprintf(`{"id":"%d","n":%d}`, i%10, i))
			})
		}
	})
	for i := range 8 {
		for _, name := range []string{"SUB_s", wire.StreamIngest} {
			// Refused while an election is under way, which serves as well.
			_, _ = w.nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+name, nil, requestTime)
		}
		w.eventually("more copies", func() error {
			// The stream may have no leader just now.
			lane, err := w.js.Stream(t.Context(), "SUB_s")
			if err != nil {
				return err
			}
			if n := int(lane.CachedInfo().State.Msgs); n < (i+1)*events/10 {
				return fmt.Errorf("%d messages", n)
			}
			return nil
		})
	}
	wg.Wait()
	checkSequences(t, "s", w.copies("s", events), 1)
}
