package hub_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// publishAll publishes n events over a few keys with acknowledgements in
// flight, and returns how many were stored.
func (w *world) publishAll(ctx context.Context, entity string, n int) error {
	futures := make([]jetstream.PubAckFuture, 0, n)
	for i := range n {
		m := nats.NewMsg("db." + entity + ".update")
		m.Data = fmt.Appendf(nil, `{"id":"%d","n":%d}`, i%10, i)
		m.Header.Set("Nats-Msg-Id", entity+"-"+strconv.Itoa(i))
		f, err := w.js.PublishMsgAsync(m, jetstream.WithStallWait(20*time.Second))
		if err != nil {
			return err
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// checkSequences insists that a lane's copies are exactly the given ingest
// sequences, ascending.
func checkSequences(t *testing.T, service string, copies []*jetstream.RawStreamMsg, since uint64) {
	t.Helper()
	last := since - 1
	for _, m := range copies {
		seq, err := seqOf(m)
		if err != nil {
			t.Fatal(err)
		}
		if seq != last+1 {
			t.Fatalf("%s: lane sequence %d holds event %d behind %d", service, m.Sequence, seq, last)
		}
		last = seq
	}
}

func TestRivalHubsNeitherLoseNorRepeatNorReorder(t *testing.T) {
	w := newWorld(t)
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	w.register("steady", `{"entities":["user"]}`)
	const events = 5_000
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.publishAll(t.Context(), "user", events); err != nil {
			t.Error(err)
		}
	})
	// Registrations change while both copy.
	since := make(map[string]uint64)
	for i := range 10 {
		service := fmt.Sprintf("late-%d", i)
		since[service] = w.register(service, `{"entities":["user"]}`).Since["user"]
		w.register("steady", fmt.Sprintf(`{"entities":["other-%d"]}`, i))
	}
	wg.Wait()
	checkSequences(t, "steady", w.copies("steady", events), 1)
	for service, first := range since {
		checkSequences(t, service, w.copies(service, events-int(first)+1), first)
	}
}

// A hub is held just before an append while its rival copies the same events
// and more: it must find out what is in the lane, not only where its end is.
func TestHubLeftBehindReadsTheLane(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, "rival" })
	w.register("s", `{"entities":["user"]}`)
	held, release := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	var once sync.Once
	w.startHub(func(c *hub.Config) {
		c.OwnAll, c.ID = true, "held"
		c.Failpoint = func(step string) {
			if step == "append" {
				once.Do(func() { close(held); <-release })
			}
		}
	})
	events := 0
	t.Cleanup(goOn) // before the hub is stopped
	for waiting := true; waiting; {
		w.publish("db.user.update", `{"id":"1"}`)
		events++
		select {
		case <-held:
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	for range 5 {
		w.publish("db.user.update", `{"id":"1"}`)
		events++
	}
	w.copies("s", events)
	goOn()
	<-time.After(200 * time.Millisecond) // for what would come too much
	checkSequences(t, "s", w.copies("s", events), 1)
	for range 20 {
		w.publish("db.user.update", `{"id":"1"}`)
		events++
	}
	checkSequences(t, "s", w.copies("s", events), 1)
}

func TestFillFollowsWhatWasThere(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	if err := w.publishAll(t.Context(), "user", 5000); err != nil {
		t.Fatal(err)
	}
	w.register("s", `{"entities":["tenant"]}`)
	if err := w.publishAll(t.Context(), "tenant", 10); err != nil {
		t.Fatal(err)
	}
	w.copies("s", 10)
	reply := w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
	if reply.Since["user"] != 1 {
		t.Errorf("reply %+v", reply)
	}
	for range 10 {
		w.publish("db.user.update", `{"id":"live"}`)
	}
	copies := w.copies("s", 5020)
	checkSequences(t, "s", copies[:10], 5001)
	checkSequences(t, "s", copies[10:5010], 1)
	checkSequences(t, "s", copies[5010:], 5011)
}

// seqOf is the ingest sequence that a copy names.
func seqOf(m *jetstream.RawStreamMsg) (uint64, error) {
	_, seq, err := contract.ParsePosition(m.Header.Get("Replhub-Position"))
	return seq, err
}

// sequence is that of a copy's or letter's headers as it is written.
func sequence(h nats.Header) string {
	_, seq, _ := strings.Cut(h.Get(contract.HeaderPosition), "-")
	return seq
}
