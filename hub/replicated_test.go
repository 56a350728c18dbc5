package hub_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// On a cluster every stream has three replicas, appends are atomic batches, and
// leaders move while two hubs that both own everything copy.
func TestReplicatedLanesKeepTheirOrderWhileLeadersMove(t *testing.T) {
	t.Parallel() // it waits for elections most of the time
	w := newCluster(t)
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	w.register("s", `{"entities":["user"]}`)
	for _, name := range []string{contract.StreamIngest, contract.StreamDLQ, contract.StreamLedger, "SUB_s"} {
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
		w.stepDown("SUB_s", contract.StreamIngest)
		w.eventually("more copies", func() error {
			n, err := w.stored("SUB_s")
			if err == nil && n < (i+1)*events/10 {
				err = fmt.Errorf("%d messages", n)
			}
			return err
		})
	}
	wg.Wait()
	checkSequences(t, "s", w.copies("s", events), 1)
}

// Rows and live events go on through changes of leaders, and each row comes once.
func TestSnapshotOnReplicatedStreamsWhileLeadersMove(t *testing.T) {
	t.Parallel() // it waits for elections most of the time
	w := newCluster(t)
	w.startHub()
	u := newUsers(4000)
	calls, registered := 0, make(chan struct{})
	w.serve("accounts", func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		if calls++; calls == 5 {
			// A registration that loses an answer of the server's waits for it.
			select {
			case <-registered:
			case <-ctx.Done():
				return ctx.Err()
			}
			w.stepDown("SUB_s", contract.StreamIngest)
		}
		return u.snapshot(ctx, after, yield)
	})
	stopWriting := w.write(u)
	w.register("s", wantSnapshot)
	close(registered)
	w.settled("s")
	stopWriting()
	copies := w.settled("s")
	eventsAscend(t, copies)
	if rows := rowsOf(t, copies, false); len(rows) < 3000 || len(copies) == len(rows) {
		t.Errorf("%d rows among %d copies", len(rows), len(copies))
	}
	if calls < 5 {
		t.Errorf("%d calls, and no change of leaders", calls)
	}
	if diff := cmp.Diff(u.all(), replica(t, copies)); diff != "" {
		t.Errorf("the replica is not the owner's table (-want +got):\n%s", diff)
	}
}

// stepDown has streams change their leaders, and does not wait for it. It is
// refused while an election is under way, which serves as well.
func (w *world) stepDown(streams ...string) {
	w.t.Helper()
	for _, name := range streams {
		if err := w.nc.PublishRequest("$JS.API.STREAM.LEADER.STEPDOWN."+name, w.nc.NewInbox(), nil); err != nil {
			w.t.Error(err)
		}
	}
}

// stored is how many messages a stream holds, which may have no leader just now.
func (w *world) stored(name string) (int, error) {
	s, err := w.js.Stream(w.t.Context(), name)
	if err != nil {
		return 0, err
	}
	return int(s.CachedInfo().State.Msgs), nil
}
