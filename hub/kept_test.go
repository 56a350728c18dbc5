package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// deleteStream deletes a stream by hand.
func (w *world) deleteStream(name string) {
	w.t.Helper()
	if err := w.js.DeleteStream(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// awaitAlarm waits until a hub raises an alarm that has all of these words.
func (w *world) awaitAlarm(words ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("an alarm about %v", words), func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		for _, text := range status.Registry.Alarms {
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
				return nil
			}
		}
		return fmt.Errorf("alarms %q", status.Registry.Alarms)
	})
}

// Streams that all services share are deleted by hand under a running hub: each
// is there again within seconds and takes messages, an alarm says what was lost,
// and in between no service is refused what it asks for.
func TestSharedStreamsComeBack(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.DLQMaxBytes = 1 << 20 })
	w.register("s", `{"interests":[{"entity":"user","filter":"data.n > 0"}]}`)
	w.publish("db.user.update", `{}`)
	w.letters(1)
	for _, name := range []string{contract.StreamDLQ, contract.StreamLedger, contract.StreamMembers, contract.StreamAdvisories, "KV_" + contract.BucketRegistry} {
		w.deleteStream(name)
	}
	if _, err := w.describe("s"); err != nil {
		t.Errorf("describe: %v", err)
	}
	w.register("k", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	if err := w.call("replhub.join.k", `{"instance":"a"}`, nil); err != nil {
		t.Errorf("join: %v", err)
	}
	w.publish("db.user.update", `{}`)
	w.letters(1)
	w.publish("db.user.update", `{"n":1}`)
	w.consume("s", "workers", 1)
	for _, name := range []string{contract.StreamDLQ, contract.StreamLedger, contract.StreamMembers, contract.StreamAdvisories} {
		w.awaitAlarm(name, "deleted")
	}
	w.awaitAlarm(contract.BucketRegistry, "deleted")
	w.eventually("the registry's records", func() error {
		_, err := w.recordOf("entities.user.s")
		return err
	})
}

// The ledger comes back with its epochs, floor and pins: a sequence keeps the
// epoch that it had.
func TestLedgerComesBackWithItsEpochs(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	w.deleteStream(contract.StreamIngest)
	w.eventually("ingest", func() error {
		_, err := w.js.Publish(t.Context(), "db.user.update", []byte(`{"id":"2"}`), jetstream.WithRetryAttempts(0))
		return err
	})
	w.epochOf("s", 2, "2")
	w.deleteStream(contract.StreamLedger)
	w.register("t", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"3"}`)
	w.epochOf("s", 3, "2")
	w.epochOf("t", 1, "2")
}

// A pin outlives the ledger that held it: a registration under way is not refused.
func TestLedgerDeletedDuringARegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) {
		c.Failpoint = func(step string) {
			if step == "registered" {
				if err := w.js.DeleteStream(context.Background(), contract.StreamLedger); err != nil {
					t.Error(err)
				}
			}
		}
	})
	w.register("s", `{"entities":["user"]}`)
}

// Pins may have been lost with a ledger that was deleted: the next trim has the lanes'
// state records written again, and goes on after that.
func TestTrimFencesLanesOnceTheLedgerWasLost(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) {
		c.History, c.TrimGuard, c.TrimEvery = time.Millisecond, time.Millisecond, 20*time.Millisecond
	})
	w.register("s", `{"entities":["user"]}`)
	w.register("t", `{"entities":["tenant"]}`)
	lanes := []string{"s", "t"}
	before := make(map[string]uint64)
	for _, name := range lanes {
		before[name] = w.recordSeq(name)
	}
	w.deleteStream(contract.StreamLedger)
	for id := range 3 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, id))
	}
	w.copies("s", 3)
	w.eventually("fence", func() error {
		for _, name := range lanes {
			if w.recordSeq(name) == before[name] {
				return fmt.Errorf("lane %s has no new state record", name)
			}
		}
		return nil
	})
}

// recordSeq is the sequence of a lane's newest state record.
func (w *world) recordSeq(service string) uint64 {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), "SUB_"+service)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(w.t.Context(), "sub."+service+"._state")
	if err != nil {
		w.t.Fatal(err)
	}
	return m.Sequence
}

// A ledger that was deleted while no hub ran begins behind what the lanes know.
func TestLedgerDeletedWhileNoHubRuns(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"interests":[{"entity":"user"}]}`)
	w.deleteStream(contract.StreamIngest)
	w.eventually("ingest", func() error {
		_, err := w.js.Publish(t.Context(), "db.user.update", []byte(`{"id":"2"}`), jetstream.WithRetryAttempts(0))
		return err
	})
	w.epochOf("s", 1, "2")
	w.consume("s", "workers", 1)
	if err := w.call("replhub.unregister.s", "", nil); err != nil {
		t.Fatal(err)
	}
	stop()
	w.deleteStream(contract.StreamLedger)
	w.startHub()
	// The lane needs nothing of ingest, and still the epochs go on behind its last: for
	// a service that is new, and for its own next copy.
	w.register("new", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"3"}`)
	w.epochOf("new", 1, "3")
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"4"}`)
	w.epochOf("s", 2, "3")
	w.awaitAlarm(contract.StreamLedger, "no hub ran")
}

// epochOf checks the epoch of a lane's n-th copy.
func (w *world) epochOf(service string, n int, want string) {
	w.t.Helper()
	if got, _, _ := strings.Cut(w.copies(service, n)[n-1].Header.Get(contract.HeaderPosition), "-"); got != want {
		w.t.Errorf("copy %d of %s is of epoch %s, want %s", n, service, got, want)
	}
}

// A roster that is lost, with its stream or without, takes no partition from
// the instance that works on it.
func TestLostRosterLeavesPartitionsWithTheirHolders(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *world){
		"stream deleted": func(w *world) { w.deleteStream(contract.StreamMembers) },
		"roster purged": func(w *world) {
			if err := w.stream(contract.StreamMembers).Purge(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startHub()
			w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":4}}`)
			a := w.join("a", contract.Join{})
			a = w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
			if len(a.Assigned) != 4 {
				t.Fatalf("a has %v", a.Assigned)
			}
			lose(w)
			if b := w.join("b", contract.Join{}); len(b.Assigned) != 0 {
				t.Errorf("b was given %v, which a holds", b.Assigned)
			}
			held := a.Assigned
			a = w.join("a", contract.Join{Holding: held, Generation: a.Generation})
			if len(a.Assigned) == 0 || len(a.Assigned) > 4 {
				t.Errorf("a keeps %v", a.Assigned)
			}
			for _, p := range w.join("b", contract.Join{}).Assigned {
				t.Errorf("b was given %d, which a holds still", p)
			}
			w.eventually("a fair share for b", func() error {
				a = w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
				if b := w.join("b", contract.Join{}); len(b.Assigned) != 2 || len(a.Assigned) != 2 {
					return fmt.Errorf("a has %v, b %v", a.Assigned, b.Assigned)
				}
				return nil
			})
		})
	}
}

// A stream that somebody else makes under a name of the hub's, after the hub's
// own was deleted, is an alarm about that name.
func TestForeignStreamInPlaceOfAKeptOne(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.deleteStream(contract.StreamMembers)
	w.eventually("a foreign stream", func() error {
		_, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: contract.StreamMembers, Subjects: []string{"else"}})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			w.deleteStream(contract.StreamMembers)
		}
		return err
	})
	w.awaitAlarm(contract.StreamMembers, "not made by replhub")
}
