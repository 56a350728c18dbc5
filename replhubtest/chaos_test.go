package replhubtest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/replhubtest"
)

// storm publishes changes while the hub and an instance are killed, and
// compares. It returns what the failure was.
func storm(t *testing.T, order replhub.Order, batches bool, apply func(*replica) replhub.HandlerFunc) string {
	t.Helper()
	hub := replhubtest.Start(t)
	there := newReplica(t)
	chaos := replhubtest.NewChaos(t, replhubtest.ChaosConfig{Seed: 7, WithinKey: order == replhub.OrderNone, MaxDelay: 5 * time.Millisecond})
	run := func() *replhubtest.Instance {
		return hub.Subscribe(t, "sharing", users(order), chaos.Wrap(apply(there)))
	}
	if batches {
		run = func() *replhubtest.Instance {
			return hub.SubscribeBatch(t, "sharing", users(order), chaos.WrapBatch(oneByOne(apply(there))))
		}
	}
	victim := run()
	run()
	owner := newSource(7)

	hub.Publish(t, owner.changes(120)...)
	hub.KillHub(t)
	hub.Publish(t, owner.changes(30)...)
	hub.StartHub(t)
	victim.Kill()
	hub.Publish(t, owner.changes(50)...)
	hub.AwaitDrained(t, "sharing", replhubtest.Within(20*time.Second))
	hub.Redeliver(t, "sharing", 150)
	hub.AwaitDrained(t, "sharing", replhubtest.Within(20*time.Second))

	did := chaos.Stats()
	if did.Duplicates == 0 || did.LostAcks == 0 || did.Crashes == 0 || did.Delays == 0 || did.Handled <= did.Deliveries-did.Overtaken {
		t.Errorf("chaos was idle: %+v", did)
	}
	if within := did.Replays > 0 && did.Overtaken > 0; within != (order == replhub.OrderNone) {
		t.Errorf("within keys: %+v", did)
	}
	if n := hub.DeadLetters(t, "sharing"); n > 0 {
		t.Errorf("%d dead letters", n)
	}
	return failure(t, func(t replhubtest.T) {
		replhubtest.Converged(t, owner.read, there.rows(), replhubtest.Within(300*time.Millisecond))
	})
}

// oneByOne is a handler of batches that handles what is in them.
func oneByOne(handle replhub.HandlerFunc) replhub.BatchHandler {
	return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		for _, d := range batch {
			if err := handle(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestGuardedReplicaConverges(t *testing.T) {
	for name, c := range map[string]struct {
		order   replhub.Order
		batches bool
	}{
		"without order":         {replhub.OrderNone, false},
		"by key":                {replhub.OrderKey, false},
		"batches without order": {replhub.OrderNone, true},
		"batches by key":        {replhub.OrderKey, true},
	} {
		t.Run(name, func(t *testing.T) {
			if said := storm(t, c.order, c.batches, func(r *replica) replhub.HandlerFunc { return r.guarded }); said != "" {
				t.Error(said)
			}
		})
	}
}

// What finds nothing in a handler without a guard is no chaos. The seed does not decide
// which handler is first, so in a storm the last events of all rows may come last by
// chance. Three such storms in a row are no chance.
func TestNaiveReplicaDoesNot(t *testing.T) {
	said := ""
	for storms := 0; said == "" && storms < 3; storms++ {
		said = storm(t, replhub.OrderNone, false, func(r *replica) replhub.HandlerFunc { return r.naive })
	}
	if !strings.HasPrefix(said, "the replica has not converged: not within") {
		t.Errorf("said %q", said)
	}
}

// heard notes what a handler is called with.
type heard struct {
	mu      sync.Mutex // guards the rest
	calls   []string
	batches []string
}

func (h *heard) HandleBatch(ctx context.Context, batch []*replhub.Delivery) error {
	var ids []string
	for _, d := range batch {
		_ = h.Handle(ctx, d)
		ids = append(ids, d.ID)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches = append(h.batches, strings.Join(ids, " "))
	return ctx.Err()
}

func (h *heard) Handle(ctx context.Context, d *replhub.Delivery) error {
	err := ctx.Err()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, d.ID)
	d.Data = append(d.Data[:0], "spoiled"...)
	return err
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

func delivery(id int) *replhub.Delivery {
	return &replhub.Delivery{Entity: "user", Key: "k", ID: strconv.Itoa(id), Data: []byte("the payload"), Position: replhub.Position{Epoch: 1, Seq: uint64(id)}}
}

// only is a chaos of one fault.
func only(change func(*replhubtest.ChaosConfig)) replhubtest.ChaosConfig {
	cfg := replhubtest.ChaosConfig{
		Seed: 1, Duplicates: -1, LostAcks: -1, Crashes: -1, Delays: -1, WithinKey: true, Replays: -1, Overtaken: -1, MaxDelay: time.Millisecond,
	}
	change(&cfg)
	return cfg
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*replhubtest.ChaosConfig)
		calls  []string
		errs   string // by delivery: . is none, x one
	}{
		"nothing":   {func(*replhubtest.ChaosConfig) {}, []string{"1", "2"}, ".."},
		"duplicate": {func(c *replhubtest.ChaosConfig) { c.Duplicates = 1 }, []string{"1", "1", "2", "2"}, ".."},
		"delay":     {func(c *replhubtest.ChaosConfig) { c.Delays = 1 }, []string{"1", "2"}, ".."},
		// Each until three attempts were spoiled.
		"lost ack": {func(c *replhubtest.ChaosConfig) { c.LostAcks = 1 }, []string{"1", "1", "1", "1", "2", "2", "2", "2"}, "xxx.xxx."},
		"crash":    {func(c *replhubtest.ChaosConfig) { c.Crashes = 1 }, []string{"1", "1", "1", "1", "2", "2", "2", "2"}, "xxx.xxx."},
		"replay":   {func(c *replhubtest.ChaosConfig) { c.Replays = 1 }, []string{"1", "2", "1"}, ".."},
	} {
		t.Run(name, func(t *testing.T) {
			var h heard
			wrapped := replhubtest.NewChaos(t, only(tt.change)).Wrap(&h)
			var errs strings.Builder
			for id := 1; id <= 2; id++ {
				d := delivery(id)
				for err := errors.New("begin"); err != nil; {
					err = wrapped.Handle(t.Context(), d)
					if errs.WriteByte('.'); err != nil {
						text := errs.String()
						errs.Reset()
						errs.WriteString(text[:len(text)-1] + "x")
					}
				}
				if string(d.Data) != "the payload" {
					t.Errorf("a handler's changes are in the next attempt: %s", d.Data)
				}
			}
			if got := h.all(); !slices.Equal(got, tt.calls) || errs.String() != tt.errs {
				t.Errorf("calls %v, errors %s; want %v, %s", got, errs.String(), tt.calls, tt.errs)
			}
		})
	}
}

func TestFaultsOfBatches(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*replhubtest.ChaosConfig)
		batches []string
		errs    string // by attempt: . is none, x one
	}{
		"nothing":   {func(*replhubtest.ChaosConfig) {}, []string{"1 2", "3 4"}, ".."},
		"duplicate": {func(c *replhubtest.ChaosConfig) { c.Duplicates = 1 }, []string{"1 1 2 2", "3 3 4 4"}, ".."},
		"delay":     {func(c *replhubtest.ChaosConfig) { c.Delays = 1 }, []string{"1 2", "3 4"}, ".."},
		// Each until three attempts of the first were spoiled.
		"lost ack": {func(c *replhubtest.ChaosConfig) { c.LostAcks = 1 }, []string{"1 2", "1 2", "1 2", "1 2", "3 4", "3 4", "3 4", "3 4"}, "xxx.xxx."},
		"crash":    {func(c *replhubtest.ChaosConfig) { c.Crashes = 1 }, []string{"1 2", "1 2", "1 2", "1 2", "3 4", "3 4", "3 4", "3 4"}, "xxx.xxx."},
		// All are of one key: behind 2 comes 1, and behind the next batch that again.
		"replay": {func(c *replhubtest.ChaosConfig) { c.Replays = 1 }, []string{"1 2", "1", "3 4", "1", "1"}, ".."},
	} {
		t.Run(name, func(t *testing.T) {
			var h heard
			wrapped := replhubtest.NewChaos(t, only(tt.change)).WrapBatch(&h)
			errs := ""
			for _, batch := range [][]*replhub.Delivery{{delivery(1), delivery(2)}, {delivery(3), delivery(4)}} {
				for err := errors.New("begin"); err != nil; {
					if err = wrapped.HandleBatch(t.Context(), batch); err != nil {
						errs += "x"
					} else {
						errs += "."
					}
				}
				if string(batch[0].Data) != "the payload" {
					t.Errorf("a handler's changes are in the next attempt: %s", batch[0].Data)
				}
			}
			if !slices.Equal(h.batches, tt.batches) || errs != tt.errs {
				t.Errorf("batches %q, errors %s; want %q, %s", h.batches, errs, tt.batches, tt.errs)
			}
		})
	}
}

// What is overtaken in a batch is handled behind it, or in the end.
func TestOvertakenOfABatch(t *testing.T) {
	var h heard
	wrapped := replhubtest.NewChaos(t, only(func(c *replhubtest.ChaosConfig) { c.Overtaken = 1 })).WrapBatch(&h)
	if err := wrapped.HandleBatch(t.Context(), []*replhub.Delivery{delivery(1), delivery(2)}); err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "both deliveries", func() error {
		if got := slices.Sorted(slices.Values(h.all())); !slices.Equal(got, []string{"1", "2"}) {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}

func TestOvertaken(t *testing.T) {
	cfg := only(func(c *replhubtest.ChaosConfig) { c.Overtaken, c.MaxDelay = 0.5, time.Minute })
	var h heard
	chaos := replhubtest.NewChaos(t, cfg)
	wrapped := chaos.Wrap(&h)
	n := 0
	for chaos.Stats().Overtaken == 0 || len(h.all()) < n {
		if n++; n > 100 {
			t.Fatalf("%d calls of %d: %+v", len(h.all()), n, chaos.Stats())
		}
		if err := wrapped.Handle(t.Context(), delivery(n)); err != nil {
			t.Fatal(err)
		}
	}
	got := h.all()
	if slices.IsSortedFunc(got, func(a, b string) int { return atoi(a) - atoi(b) }) {
		t.Errorf("nothing was overtaken: %v", got)
	}
}

func TestOvertakenByNobodyIsHandledAllTheSame(t *testing.T) {
	var h heard
	wrapped := replhubtest.NewChaos(t, only(func(c *replhubtest.ChaosConfig) { c.Overtaken = 1 })).Wrap(&h)
	if err := wrapped.Handle(t.Context(), delivery(1)); err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "the only delivery", func() error {
		if n := len(h.all()); n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

func TestOvertakenThatFailsFailsTheTest(t *testing.T) {
	a := &attempt{}
	t.Run("within", func(t *testing.T) {
		a.T = t
		chaos := replhubtest.NewChaos(a, only(func(c *replhubtest.ChaosConfig) { c.Overtaken = 1 }))
		wrapped := chaos.Wrap(replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error { return errors.New("never") }))
		if err := wrapped.Handle(t.Context(), delivery(1)); err != nil {
			t.Fatal(err)
		}
	})
	if len(a.said) != 1 || !strings.Contains(a.said[0], "its handler fails: never") {
		t.Errorf("said %q", a.said)
	}
}

func TestCrashCutsTheHandlerShort(t *testing.T) {
	wrapped := replhubtest.NewChaos(t, only(func(c *replhubtest.ChaosConfig) { c.Crashes = 1 })).Wrap(
		replhub.HandlerFunc(func(ctx context.Context, _ *replhub.Delivery) error {
			<-ctx.Done()
			return nil
		}))
	if err := wrapped.Handle(t.Context(), delivery(1)); err == nil {
		t.Error("a crash was acknowledged")
	}
}

func TestSeedDecides(t *testing.T) {
	run := func(seed uint64, backwards bool) map[string]int {
		var h heard
		wrapped := replhubtest.NewChaos(t, replhubtest.ChaosConfig{Seed: seed, MaxDelay: time.Nanosecond}).Wrap(&h)
		for i := range 200 {
			if backwards {
				i = 199 - i
			}
			_ = wrapped.Handle(t.Context(), delivery(i))
		}
		calls := make(map[string]int)
		for _, id := range h.all() {
			calls[id]++
		}
		return calls
	}
	if diff := cmp.Diff(run(5, false), run(5, true)); diff != "" {
		t.Errorf("one seed, two courses: %s", diff)
	}
	if maps.Equal(run(5, false), run(6, false)) {
		t.Error("two seeds, one course")
	}
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
