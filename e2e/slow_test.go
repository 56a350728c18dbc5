package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// delays are the times from the storage of events in ingest to the delivery of their copies to
// the workers of some lanes.
type delays struct {
	mu   sync.Mutex // guards the rest
	took []time.Duration
	came map[string]int // copies by service
}

// worker takes a lane's copies, and acknowledges each after a while.
func (d *delays) worker(ctx context.Context, w *harness.World, service string, each time.Duration) error {
	c, err := w.JS.Consumer(ctx, "SUB_"+service, contract.ConsumerWorkers)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch, err := c.Fetch(100, jetstream.FetchMaxWait(500*time.Millisecond))
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			d.note(service, m)
			if each > 0 {
				w.Let(each)
			}
			if err := m.Ack(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *delays) note(service string, m jetstream.Msg) {
	stored, err := time.Parse(time.RFC3339Nano, m.Headers().Get(contract.HeaderTime))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came[service]++
	if err == nil && strings.HasPrefix(service, "swift") {
		d.took = append(d.took, time.Since(stored))
	}
}

// measure publishes at an even rate, waits until the swift services have all, and returns the
// rate, and the delays in their order.
func (d *delays) measure(t *testing.T, w *harness.World, events int) (rate float64, took []time.Duration) {
	t.Helper()
	d.mu.Lock()
	d.took = nil
	before := d.came["swift-0"]
	d.mu.Unlock()
	pad := strings.Repeat("x", 200)
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range events {
		<-tick.C
		if _, err := w.JS.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"%d","pad":"%s"}`, i%97, pad)); err != nil {
			t.Fatalf("a publisher is refused: %v", err)
		}
	}
	rate = float64(events) / time.Since(began).Seconds()
	w.Eventually("the swift services to have all", settleWithin, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, service := range []string{"swift-0", "swift-1"} {
			if got := d.came[service] - before; got != events {
				return fmt.Errorf("%s has %d of %d", service, got, events)
			}
		}
		took = slices.Sorted(slices.Values(d.took))
		return nil
	})
	return rate, took
}

// TestSlowServicesDelayNobody measures the delay of two services, alone and beside one that
// never acknowledges, one that is slow, and one that has filled its lane.
func TestSlowServicesDelayNobody(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 53})
	w.StartHub("h1")
	d := &delays{came: make(map[string]int)}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	work := func(service string, each time.Duration) {
		workers.Go(func() {
			if err := d.worker(ctx, w, service, each); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
				t.Errorf("worker of %s: %v", service, err)
			}
		})
	}
	for _, service := range []string{"swift-0", "swift-1"} {
		w.MustCall("replhub.register."+service, `{"entities":["user"]}`, nil)
		work(service, 0)
	}
	events := times(600, 60_000)
	d.measure(t, w, 300) // whatever is slow at first
	quiet, alone := d.measure(t, w, events)
	w.MustCall("replhub.register.never", `{"entities":["user"]}`, nil)
	w.MustCall("replhub.register.slow", `{"entities":["user"]}`, nil)
	w.MustCall("replhub.register.full", `{"entities":["user"],"max_bytes":65536}`, nil)
	work("slow", 20*time.Millisecond)
	d.measure(t, w, 300)
	w.AwaitState("full", contract.LaneStalled, settleWithin)
	beside, troubled := d.measure(t, w, events)
	w.AwaitState("full", contract.LaneStalled, settleWithin)
	p := func(of []time.Duration, part float64) time.Duration {
		return of[int(float64(len(of)-1)*part)].Round(10 * time.Microsecond)
	}
	t.Logf("SLOW alone: %.0f events/s, p50 %s, p99 %s, max %s", quiet, p(alone, 0.5), p(alone, 0.99), p(alone, 1))
	t.Logf("SLOW beside a service that never acknowledges, a slow one and a full lane: %.0f events/s, p50 %s, p99 %s, max %s",
		beside, p(troubled, 0.5), p(troubled, 0.99), p(troubled, 1))
	// A lane that waited for another one would wait for ever. What is left is the noise of
	// the machine.
	if got := p(troubled, 0.99); got > 2*time.Second {
		t.Errorf("the p99 of the others is %s", got)
	}
}
