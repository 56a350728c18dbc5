package hub_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// quickly has a hub look at everything often.
func quickly(cfg *hub.Config) { cfg.TrimEvery = 50 * time.Millisecond }

func (w *world) deleteConsumer(service, consumer string) {
	w.t.Helper()
	if err := w.stream("SUB_"+service).DeleteConsumer(w.t.Context(), consumer); err != nil {
		w.t.Fatal(err)
	}
}

// awaitConsumer waits until a lane has a consumer.
func (w *world) awaitConsumer(service, consumer string) *jetstream.ConsumerInfo {
	w.t.Helper()
	var info *jetstream.ConsumerInfo
	w.eventually("consumer "+consumer+" of "+service, func() error {
		c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, consumer)
		if err == nil {
			info = c.CachedInfo()
		}
		return err
	})
	return info
}

// seqsOf are the ingest sequences of copies.
func seqsOf(copies []jetstream.Msg) []int {
	seqs := make([]int, 0, len(copies))
	for _, m := range copies {
		n, err := strconv.Atoi(sequence(m.Headers()))
		if err != nil {
			n = -1
		}
		seqs = append(seqs, n)
	}
	return seqs
}

// A consumer that somebody deletes is there again within seconds. What was not
// acknowledged is delivered, and what was known to be acknowledged is not.
func TestConsumerDeletedByHandComesBack(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.users(0, 10)
	w.consume("s", "workers", 4)
	w.deleteConsumer("s", "workers")
	began := time.Now()
	w.awaitConsumer("s", "workers")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the consumer was away for %s", took)
	}
	seqs := seqsOf(w.consume("s", "workers", 6))
	if seqs[0] > 5 {
		t.Errorf("behind what was acknowledged, 4, comes %v", seqs)
	}
	w.eventually("the rest", func() error {
		if seqs[len(seqs)-1] != 10 {
			seqs = append(seqs, seqsOf(w.consume("s", "workers", 1))...)
			return fmt.Errorf("%v", seqs)
		}
		return nil
	})
}

// While a consumer is missing the lane is degraded, and its backlog is all that
// it cannot be proven to have acknowledged.
func TestMissingConsumerIsTold(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.TrimEvery = time.Hour })
	w.register("s", `{"entities":["user"]}`)
	w.users(0, 10)
	w.consume("s", "workers", 4)
	w.deleteConsumer("s", "workers")
	status, err := w.describe("s")
	if err != nil {
		t.Fatal(err)
	}
	if status.State != contract.LaneStalled || !strings.Contains(status.Reason, "consumer workers is missing") || status.Backlog != 10 {
		t.Errorf("state %s, reason %q, backlog %d", status.State, status.Reason, status.Backlog)
	}
	w.eventually("the hub to be degraded", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if !slices.ContainsFunc(status.Degraded, func(r string) bool { return strings.Contains(r, "consumer workers is missing") }) {
			return fmt.Errorf("degraded %q", status.Degraded)
		}
		return nil
	})
	w.eventually("the end of that", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if len(status.Degraded) > 0 {
			return fmt.Errorf("degraded %q", status.Degraded)
		}
		return nil
	})
}

// What the hub has seen acknowledged is not delivered again, unless it was
// rewound to meanwhile.
func TestConsumerComesBackBehindWhatIsProven(t *testing.T) {
	w := newWorld(t)
	w.startHub(quickly)
	w.register("s", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	w.users(0, 40)
	for p := range 2 {
		w.consumePinned("s", p, w.pending("s", p))
	}
	w.eventually("the hub to have seen that", func() error {
		w.deleteConsumer("s", "workers-1")
		if info := w.awaitConsumer("s", "workers-1"); info.NumPending > 0 {
			w.consumePinned("s", 1, int(info.NumPending))
			return fmt.Errorf("%d copies again", info.NumPending)
		}
		return nil
	})
	if err := w.call("replhub.rewind.s", `{"to":1}`, nil); err != nil {
		t.Fatal(err)
	}
	want := w.pending("s", 1)
	w.deleteConsumer("s", "workers-1")
	if got := w.awaitConsumer("s", "workers-1").NumPending; int(got) != want || want == 0 {
		t.Errorf("%d copies after a rewind, want %d", got, want)
	}
}

// pending is how many copies wait for a partition's worker.
func (w *world) pending(service string, partition int) int {
	w.t.Helper()
	return int(w.awaitConsumer(service, "workers-"+strconv.Itoa(partition)).NumPending)
}

// A hub dies at each step of a rewind: every partition still ends at its target.
func TestRewindCutShortEndsAtItsTarget(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"rewind recorded", "rewind deleted"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			reached := make(chan struct{}, 1)
			stop := w.startHub(func(c *hub.Config) {
				c.ID = "one"
				c.Failpoint = func(at string) {
					if at == step {
						reached <- struct{}{}
						runtime.Goexit() // the request ends here, as with its process
					}
				}
			})
			w.register("s", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
			w.users(0, 40)
			w.copies("s", 40)
			again := [2]int{}
			for p := range 2 {
				w.consumePinned("s", p, w.pending("s", p))
			}
			for i := 10; i < 40; i++ {
				again[subjects.Partition(strconv.Itoa(i), 2)]++
			}
			if err := w.nc.PublishRequest("replhub.rewind.s", "nobody", []byte(`{"to":11}`)); err != nil {
				t.Fatal(err)
			}
			<-reached
			stop()
			w.startHub(quickly, func(c *hub.Config) { c.ID = "two" })
			w.eventually("the rewind", func() error {
				for p := range 2 {
					c, err := w.js.Consumer(t.Context(), "SUB_s", "workers-"+strconv.Itoa(p))
					if err != nil {
						return err
					}
					if got := int(c.CachedInfo().NumPending); got != again[p] {
						return fmt.Errorf("partition %d: %d copies again, want %d", p, got, again[p])
					}
				}
				return nil
			})
		})
	}
}

// A lane whose stream is deleted while its service is registered is among what
// is degraded, with an alarm, until the service has registered again.
func TestStreamDeletedUnderARegistrationIsDegraded(t *testing.T) {
	w := newWorld(t)
	w.startHub(quickly)
	w.register("s", `{"entities":["user"]}`)
	w.eventually("the record", func() error { _, err := w.recordOf("entities.user.s"); return err })
	w.deleteStream("SUB_s")
	degraded := func(want bool) {
		t.Helper()
		w.eventually(fmt.Sprintf("degraded: %t", want), func() error {
			var status contract.Status
			if err := w.call("replhub.status", "", &status); err != nil {
				return err
			}
			if slices.ContainsFunc(status.Degraded, func(r string) bool { return strings.Contains(r, "SUB_s is gone") }) != want {
				return fmt.Errorf("degraded %q", status.Degraded)
			}
			return nil
		})
	}
	degraded(true)
	w.awaitAlarm("entities/user/s", "its stream is gone")
	w.register("s", `{"entities":["user"]}`)
	degraded(false)
}

// The state that is written for a lane which was purged by hand while no hub ran
// has what the service asked for.
func TestStateAfterAPurgeHasWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"interests":[{"entity":"user","fields":["id"]}],"max_bytes":1234567,"queue":{"order":"key","partitions":3,"max_deliver":7}}`)
	w.eventually("the record", func() error { _, err := w.recordOf("services.s"); return err })
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	stop()
	if err := w.stream("SUB_s").Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.startHub()
	w.awaitState("s", contract.LaneDetached)
	status, err := w.describe("s")
	if err != nil {
		t.Fatal(err)
	}
	if status.MaxBytes != 1234567 || status.Queue.Partitions != 3 || status.Queue.MaxDeliver != 7 || len(status.Interests) != 1 {
		t.Errorf("max_bytes %d, queue %+v, interests %+v", status.MaxBytes, status.Queue, status.Interests)
	}
	var state struct {
		MaxBytes int64 `json:"max_bytes"`
	}
	m, err := w.stream("SUB_s").GetLastMsgForSubject(t.Context(), "sub.s._state")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Data, &state); err != nil || state.MaxBytes != 1234567 {
		t.Errorf("the record has max_bytes %d, %v", state.MaxBytes, err)
	}
	w.register("s", `{"interests":[{"entity":"user","start":"new"}]}`)
	w.awaitState("s", contract.LaneLive)
}
