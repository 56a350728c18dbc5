package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// letters waits for n dead letters, and fails when there are more.
func (w *world) letters(n int) []*jetstream.RawStreamMsg {
	w.t.Helper()
	var found []*jetstream.RawStreamMsg
	w.eventually(fmt.Sprintf("%d dead letters", n), func() error {
		s, err := w.js.Stream(w.t.Context(), contract.StreamDLQ)
		if err != nil {
			return err
		}
		found = found[:0]
		for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
			if m, err := s.GetMsg(w.t.Context(), seq); err == nil {
				found = append(found, m)
			}
		}
		if len(found) < n {
			return fmt.Errorf("%d so far", len(found))
		}
		return nil
	})
	if len(found) > n {
		w.t.Fatalf("%d dead letters, want %d", len(found), n)
	}
	return found
}

// work pulls from a service's workers until they have nothing more to give, and
// returns the keys that were handled well, in order.
func (w *world) work(service, consumer string, handle func(jetstream.Msg) error) []string {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, consumer)
	if err != nil {
		w.t.Fatal(err)
	}
	pinned := c.CachedInfo().Config.PriorityPolicy == jetstream.PriorityPolicyPinned
	if pinned { // an earlier worker has gone
		s, err := w.js.Stream(w.t.Context(), "SUB_"+service)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := s.UnpinConsumer(w.t.Context(), consumer, contract.GroupWorkers); err != nil {
			w.t.Fatal(err)
		}
	}
	var done []string
	for {
		opts := []jetstream.FetchOpt{jetstream.FetchMaxWait(150 * time.Millisecond)}
		if pinned {
			opts = append(opts, jetstream.FetchPriorityGroup(contract.GroupWorkers))
		}
		batch, err := c.Fetch(10, opts...)
		if err != nil {
			w.t.Fatal(err)
		}
		n := 0
		for m := range batch.Messages() {
			n++
			if err := handle(m); err != nil {
				_ = m.Nak()
				continue
			}
			if err := m.Ack(); err != nil {
				w.t.Fatal(err)
			}
			done = append(done, m.Headers().Get(contract.HeaderKey))
		}
		if n == 0 {
			return done
		}
	}
}

var errPoison = errors.New("poison")

// poison fails the events of some keys.
func poison(keys ...string) func(jetstream.Msg) error {
	return func(m jetstream.Msg) error {
		for _, key := range keys {
			if m.Headers().Get(contract.HeaderKey) == key {
				return errPoison
			}
		}
		return nil
	}
}

func well(jetstream.Msg) error { return nil }

func (w *world) redrive(service, request string) contract.Redriven {
	w.t.Helper()
	var reply contract.Redriven
	if err := w.call("replhub.redrive."+service, request, &reply); err != nil {
		w.t.Fatalf("redrive %s: %v", request, err)
	}
	return reply
}

func TestRedriveOfWhatWorkersFailed(t *testing.T) {
	for name, c := range map[string]struct{ queue, consumer string }{
		"workers":  {`{"max_deliver":2}`, "workers"},
		"ordered":  {`{"order":"key","partitions":1,"max_deliver":2}`, "workers-0"},
		"one dies": {`{"max_deliver":1,"ack_wait":"100ms"}`, "workers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.startHub(func(cfg *hub.Config) { cfg.TrimEvery = 50 * time.Millisecond })
			w.register("sharing", `{"entities":["user"],"queue":`+c.queue+`}`)
			for i := range 6 {
				w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i), "X-Trace", "abc")
			}
			w.copies("sharing", 6)
			if done := w.work("sharing", c.consumer, poison("2", "4")); strings.Join(done, "") != "0135" {
				t.Errorf("the others: %v", done)
			}
			found := w.letters(2)
			first := found[0].Sequence
			reply := w.redrive("sharing", fmt.Sprintf(`{"seqs":[%d,%d,99]}`, first+1, first))
			if reply.Redriven != 2 || len(reply.Left) != 1 || reply.Left[0].Seq != 99 {
				t.Errorf("reply %+v", reply)
			}
			w.letters(0)
			copies := w.copies("sharing", 8)
			for i, key := range []string{"2", "4"} {
				h := copies[6+i].Header
				if h.Get(contract.HeaderKey) != key || h.Get(contract.HeaderRedriven) != "1" || h.Get("X-Trace") != "abc" ||
					h.Get(contract.HeaderReason) != "" || h.Get(contract.HeaderError) != "" || h.Get(contract.HeaderAttempts) != "" {
					t.Errorf("redriven copy %v", h)
				}
			}
			// The lane goes on where it stood: what it has copied does not come again.
			w.publish("db.user.update", `{"id":"6"}`)
			w.copies("sharing", 9)
			// New messages with a delivery count of their own: they fail as often again.
			if done := w.work("sharing", c.consumer, poison("4")); strings.Join(done, "") != "26" {
				t.Errorf("after the redrive: %v", done)
			}
			again := w.letters(1)[0]
			if again.Header.Get(contract.HeaderRedriven) != "1" || again.Header.Get(contract.HeaderKey) != "4" {
				t.Errorf("letter %v", again.Header)
			}
			w.redrive("sharing", `{"all":true}`)
			if last := w.copies("sharing", 10)[9]; last.Header.Get(contract.HeaderRedriven) != "2" {
				t.Errorf("redriven twice: %v", last.Header)
			}
			w.letters(0)
		})
	}
}

func TestRedriveOfWhatCouldNotBeExpanded(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("sharing", `{"interests":[{"entity":"user","filter":"data.tenant == 'acme'","fields":["id"]}]}`)
	w.publish("db.user.update", `{"id":"1","name":"hidden"}`)
	w.publish("db.user.update", `{"id":"2","tenant":"acme"}`)
	w.publish("db.user.update", `not JSON`)
	w.copies("sharing", 1)
	found := w.letters(2)
	if len(found[0].Data) > 0 || found[0].Header.Get(contract.HeaderReason) != contract.ReasonFilter {
		t.Errorf("letter %v %s", found[0].Header, found[0].Data)
	}
	reply := w.redrive("sharing", `{"all":true}`)
	if reply.Redriven != 0 || len(reply.Left) != 2 || !strings.Contains(reply.Left[0].Message, contract.ReasonFilter) {
		t.Errorf("the filter still fails, but: %+v", reply)
	}
	w.letters(2)
	w.copies("sharing", 1)

	w.register("sharing", `{"interests":[{"entity":"user","fields":["id"]}]}`)
	reply = w.redrive("sharing", `{"all":true}`)
	if reply.Redriven != 1 || len(reply.Left) != 1 {
		t.Errorf("reply %+v", reply)
	}
	m := w.copies("sharing", 2)[1]
	if string(m.Data) != `{"id":"1"}` || sequence(m.Header) != "1" || m.Header.Get(contract.HeaderRedriven) != "1" {
		t.Errorf("copy %v %s", m.Header, m.Data)
	}
	w.letters(1)
}

func TestRedriveIsRefused(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("sharing", `{"entities":["user"]}`)
	for _, c := range []struct {
		service, request string
		code             contract.Code
	}{
		{"sharing", `{}`, contract.CodeInvalidValue},
		{"sharing", `{"seqs":[1],"all":true}`, contract.CodeInvalidValue},
		{"sharing", `{"sequences":[1]}`, contract.CodeUnknownField},
		{"nobody", `{"all":true}`, contract.CodeNotFound},
	} {
		err := w.call("replhub.redrive."+c.service, c.request, nil)
		if refusal, ok := errors.AsType[*contract.Error](err); !ok || refusal.Code != c.code {
			t.Errorf("redrive %s %s: %v, want %s", c.service, c.request, err, c.code)
		}
	}
}

// A hub that stops between the append and the removal of the letters leaves the letters
// behind. The next redrive removes them without a second copy. In this test the first hub
// is not dead: it continues later and finishes its work.
func TestRedriveIsDoneOnce(t *testing.T) {
	for _, step := range []string{"redriven", "redrive remove", "redrive forget"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			reached, goOn := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(goOn) })
			var paused atomic.Bool
			stop := w.startHub(func(cfg *hub.Config) {
				cfg.OwnAll = true
				cfg.Failpoint = func(at string) {
					if at == step && paused.CompareAndSwap(false, true) {
						close(reached)
						<-goOn
					}
				}
			})
			t.Cleanup(release)
			w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":2}}`)
			for i := range 3 {
				w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
			}
			w.copies("sharing", 3)
			w.work("sharing", "workers", poison("1", "2"))
			w.letters(2)
			if err := w.nc.PublishRequest("replhub.redrive.sharing", w.nc.NewInbox(), []byte(`{"all":true}`)); err != nil {
				t.Fatal(err)
			}
			<-reached
			w.startHub(func(cfg *hub.Config) { cfg.OwnAll, cfg.ID = true, "second" })
			// As the first hub would forward it: the second one does it.
			if err := w.call("replhub._to.second.redrive.sharing", `{"all":true}`, nil); err != nil {
				t.Fatal(err)
			}
			w.letters(0)
			release()
			stop()
			w.publish("db.user.update", `{"id":"3"}`)
			w.copies("sharing", 6)
			if reply := w.redrive("sharing", `{"all":true}`); reply.Redriven != 0 {
				t.Errorf("again: %+v", reply)
			}
			w.letters(0)
			w.copies("sharing", 6)
		})
	}
}

// Redrives on two hubs at once, each believing that it owns the lane, while
// events go on.
func TestRedriveByTwoHubs(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(cfg *hub.Config) { cfg.OwnAll = true })
	w.startHub(func(cfg *hub.Config) { cfg.OwnAll = true })
	w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":2}}`)
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprint(i))
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.copies("sharing", 40)
	w.work("sharing", "workers", poison(keys...))
	w.letters(40)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { _ = w.call("replhub.redrive.sharing", `{"all":true}`, nil) })
	}
	for i := range 40 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"new-%d"}`, i))
	}
	wg.Wait()
	w.letters(0)
	seen := make(map[string]int)
	for _, m := range w.copies("sharing", 120) {
		seen[sequence(m.Header)+"/"+m.Header.Get(contract.HeaderRedriven)]++
	}
	for copied, n := range seen {
		if n != 1 {
			t.Errorf("copy %s lies in the lane %d times", copied, n)
		}
	}
}
