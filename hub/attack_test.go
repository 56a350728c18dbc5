package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Ways in which lanes came to harm before there was a guard against each.

func (w *world) describe(service string) (contract.LaneStatus, error) {
	var status contract.LaneStatus
	err := w.call("replhub.describe."+service, "", &status)
	return status, err
}

// awaitState waits until a lane is in a state.
func (w *world) awaitState(service, want string) {
	w.t.Helper()
	w.eventually(service+" to be "+want, func() error {
		status, err := w.describe(service)
		if err == nil && status.State != want {
			err = fmt.Errorf("%s: %s, fill %+v", status.State, status.Reason, status.Fill)
		}
		return err
	})
}

// A burst of young events fills ingest: no lane is to blame, so none is cut off.
func TestBurstDetachesNoHealthyLane(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.IngestMaxBytes, c.TrimEvery = 2<<20, 20*time.Millisecond })
	services := []string{"rare", "busy"}
	w.register("rare", `{"entities":["tenant"]}`)
	w.register("busy", `{"entities":["user"]}`)
	pad := strings.Repeat("x", 10_000)
	stored := 0
	var err error
	for err == nil {
		if _, err = w.js.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"%d","pad":"%s"}`, stored, pad)); err == nil {
			stored++
		}
	}
	w.copies("busy", stored)
	looks := 0
	w.eventually("some trims", func() error {
		for _, service := range services {
			if status, err := w.describe(service); err == nil && status.State == contract.LaneDetached {
				t.Fatalf("%s was detached: %s", service, status.Reason)
			}
		}
		if looks++; looks < 20 {
			return errors.New("not yet")
		}
		return nil
	})
}

// Readers of their own are few; a fill gives its back when it is done.
func TestFillsGiveTheirReadersBack(t *testing.T) {
	w := newWorld(t)
	const lanes = 9 // one more than there are readers
	stop := w.startHub()
	for i := range lanes {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	for range 11 {
		w.publish("db.group.create", `{"id":"1"}`)
	}
	// After a restart the tail begins where the lanes stand, behind these.
	if err := w.publishAll(t.Context(), "tenant", 500); err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.update", `{"id":"1"}`)
	for i := range lanes {
		w.copies(fmt.Sprintf("s%d", i), 1)
	}
	stop()
	w.startHub()
	for i := range lanes {
		service := fmt.Sprintf("s%d", i)
		w.register(service, `{"interests":[{"entity":"group","start":"all"}]}`)
		w.awaitState(service, contract.LaneLive)
		w.copies(service, 1+11)
	}
}

// A registration is not a licence to overwrite what a newer hub has written.
func TestRegistrationKeepsANewerRecord(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.put("entities.user.s", `{"v":2,"only":"x"}`)
	w.awaitState("s", contract.LaneIncompatible)
	w.register("s", `{"entities":["user"]}`)
	record, err := w.recordOf("entities.user.s")
	if err != nil || record["v"] != 2.0 {
		t.Errorf("the record is %v, %v", record, err)
	}
	w.awaitState("s", contract.LaneIncompatible)
}

// Somebody publishes on a lane's state subject: that is no state.
func TestForeignStateIsLookedBehind(t *testing.T) {
	for _, forged := range []string{`{}`, `garbage`} {
		w := newWorld(t)
		stop := w.startHub()
		w.register("s", `{"entities":["user"]}`)
		w.publish("db.user.update", `{"id":"1"}`)
		w.copies("s", 1)
		if _, err := w.js.Publish(t.Context(), "sub.s._state", []byte(forged)); err != nil {
			t.Fatal(err)
		}
		w.publish("db.user.update", `{"id":"2"}`)
		w.consume("s", "workers", 2)
		stop()
		w.startHub()
		w.publish("db.user.update", `{"id":"3"}`)
		if m := w.consume("s", "workers", 1)[0]; sequence(m.Headers()) != "3" {
			t.Errorf("with %s: got %v", forged, m.Headers())
		}
		stop()
	}
}

// A consumer that is missing has acknowledged nothing: a rewind that was cut
// short leaves the lane so.
func TestMissingConsumerKeepsItsCopies(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.TrimEvery = time.Hour })
	w.register("s", `{"entities":["user"],"max_bytes":65536,"queue":{"order":"key","partitions":2}}`)
	keys := make(map[int]string)
	for i := 0; len(keys) < 2; i++ {
		key := fmt.Sprintf("k%d", i)
		keys[subjects.Partition(key, 2)] = key
	}
	for range 20 {
		w.publish("db.user.update", `{}`, contract.HeaderKey, keys[1])
	}
	w.copies("s", 20)
	if err := w.stream("SUB_s").DeleteConsumer(t.Context(), "workers-1"); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat("x", 4000)
	for range 30 {
		w.publish("db.user.update", `{"x":"`+pad+`"}`, contract.HeaderKey, keys[0])
	}
	w.awaitState("s", contract.LaneStalled)
	w.consumePinned("s", 0, 10)
	tries := uint64(0)
	w.eventually("the hub to have tried to make room", func() error {
		if tries++; tries < 40 {
			return errors.New("not yet")
		}
		return nil
	})
	w.register("s", `{"entities":["user"]}`)
	w.consumePinned("s", 1, 20)
}

// A rewind goes back, never forward past what nobody has acknowledged.
func TestRewindNeverSkips(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	for range 20 {
		w.publish("db.user.update", `{"id":"1"}`)
	}
	w.copies("s", 20)
	for _, to := range []string{"11", "999999"} {
		if refusal := asRefusal(t, w.call("replhub.rewind.s", `{"to":`+to+`}`, nil)); refusal.Code != contract.CodeInvalidValue || refusal.Field != "to" {
			t.Errorf("a rewind to %s: %v", to, refusal)
		}
	}
	// A worker has the first one still: it stays due.
	w.fetch("s")
	w.consume("s", "workers", 19)
	for _, want := range []int{20, 10} {
		if err := w.call("replhub.rewind.s", `{"to":11}`, nil); err != nil {
			t.Fatal(err)
		}
		first := w.fetch("s")
		if seq := sequence(first.Headers()); seq != strconv.Itoa(21-want) {
			t.Fatalf("after the rewind comes event %s, want %d", seq, 21-want)
		}
		if err := first.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.consume("s", "workers", want-1)
	}
}

// Another hub has ended an interest and died before it could tell: an answer
// that needs no append must not come from memory.
func TestUnchangedRegistrationIsReadNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	// Looked at right behind each answer, and in rounds: reconciling with the
	// registry mends what a wrong answer left, now and then before the look.
	for round := range 5 {
		w.forgeState("s", func(state map[string]any) { state["interests"] = []any{} })
		w.register("s", `{"entities":["user"]}`)
		if _, state := w.newestState("s"); len(state["interests"].([]any)) != 1 {
			t.Fatalf("round %d: the answer says registered, the lane has %v", round, state["interests"])
		}
	}
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
}

func TestConcurrentRegistrationsLeaveTheRightConsumers(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	for round := range 10 {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				queue := `{"queue":{"order":"none"}}`
				if i%2 == 0 {
					queue = `{"queue":{"order":"key","partitions":3}}`
				}
				// Refused while the consumers of another are being made.
				if err := w.call("replhub.register.s", queue, nil); err != nil && asRefusal(t, err).Code != contract.CodeBacklog {
					t.Errorf("register: %v", err)
				}
			})
		}
		wg.Wait()
		status, err := w.describe("s")
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"none": 1, "key": 3}[status.Queue.Order]; len(status.Workers) != want {
			t.Fatalf("round %d: order %s has consumers %+v", round, status.Queue.Order, status.Workers)
		}
	}
}

// A lane that was made when the server had no fast ingest.
func TestOldLaneTakesBatches(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	stop()
	cfg := w.stream("SUB_s").CachedInfo().Config
	cfg.AllowBatchPublish = false
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.publishAll(t.Context(), "user", 100); err != nil {
		t.Fatal(err)
	}
	w.startHub()
	w.copies("s", 100)
}

// A trim that asked the lanes before a registration must not purge after it. That a
// trim beside a registration does not either is package retention's test.
func TestTrimThatLookedBeforeARegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	if err := w.publishAll(t.Context(), "user", 100); err != nil {
		t.Fatal(err)
	}
	other, err := ingest.Open(t.Context(), ingest.Config{JS: w.js})
	if err != nil {
		t.Fatal(err)
	}
	done, err := other.Trim(t.Context(), retention.Policy{}, lanesOf(func() retention.Need {
		w.register("s", `{"interests":[{"entity":"user","start":"all"}],"max_bytes":65536}`)
		return retention.NewNeed(100) // as the lanes were before
	}))
	if err != nil || done.Purged != 0 {
		t.Errorf("%d events purged, %v", done.Purged, err)
	}
}

// lanesOf are lanes of which a trim is told what a function says.
type lanesOf func() retention.Need

func (f lanesOf) Need(context.Context) (retention.Need, error) { return f(), nil }

func (lanesOf) Fence(context.Context, []subjects.Name, bool) (map[subjects.Name]error, error) {
	return nil, nil
}

// A hub that is asked much stops within its bound all the same.
func TestShutdownUnderRequests(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	asking := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-asking:
					return
				default:
				}
				// Refused or unanswered once the hub stops.
				_, _ = w.nc.Request(fmt.Sprintf("replhub.register.s%d", i), fmt.Appendf(nil, `{"entities":["e%d"]}`, n%50), time.Second)
			}
		})
	}
	w.eventually("lanes", func() error {
		names := 0
		for range w.js.StreamNames(t.Context()).Name() {
			names++
		}
		if names < 20 {
			return fmt.Errorf("%d streams", names)
		}
		return nil
	})
	began := time.Now()
	stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("stopped in %s", took)
	}
	close(asking)
	wg.Wait()
}

// newestState is a lane's newest state record and its sequence.
func (w *world) newestState(service string) (seq uint64, state map[string]any) {
	w.t.Helper()
	m, err := w.stream("SUB_"+service).GetLastMsgForSubject(w.t.Context(), "sub."+service+"._state")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(m.Data, &state); err != nil {
		w.t.Fatal(err)
	}
	return m.Sequence, state
}

// forgeState appends a state record to a lane as another hub would.
func (w *world) forgeState(service string, edit func(state map[string]any)) {
	w.t.Helper()
	w.eventually("a state record of another hub", func() error {
		last := w.stream("SUB_" + service).CachedInfo().State.LastSeq
		_, state := w.newestState(service)
		edit(state)
		m := nats.NewMsg("sub." + service + "._state")
		m.Header.Set(contract.HeaderState, "1")
		m.Header.Set(contract.HeaderExpectedLastSeq, fmt.Sprint(last))
		var err error
		if m.Data, err = json.Marshal(state); err != nil {
			return err
		}
		_, err = w.js.PublishMsg(w.t.Context(), m)
		return err
	})
}
