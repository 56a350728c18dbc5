package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/judge"
)

// Load says what writers publish.
type Load struct {
	// Writers publish at the same time, each its own keys in order; 2 by default.
	Writers int
	// Entities to choose from; "user" and "tenant" by default.
	Entities []string
	// Keys of each writer; 8 by default.
	Keys int
	// Pad is how many bytes of filling a payload carries; 0 by default.
	Pad int
	// Every is the time between two events of a writer; none by default.
	Every time.Duration
	// Origin is the service that the events say they are from; none by default.
	Origin string
}

func (l Load) withDefaults() Load {
	if l.Writers == 0 {
		l.Writers = 2
	}
	if len(l.Entities) == 0 {
		l.Entities = []string{"user", "tenant"}
	}
	if l.Keys == 0 {
		l.Keys = 8
	}
	return l
}

const (
	// publishTime bounds the wait for one acknowledgement.
	publishTime = 2 * time.Second
	// giveUpAfter bounds how long a stopped writer tries to learn what became
	// of its last event.
	giveUpAfter = 10 * time.Second
)

// Writers are publishers at work.
type Writers struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Write starts writers; they go on until stopped, or until most events each
// when most is positive.
func (w *World) Write(l Load, most int) *Writers {
	w.tb.Helper()
	l = l.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	all := &Writers{cancel: cancel}
	for range l.Writers {
		js, err := jetstream.New(w.Connect())
		if err != nil {
			w.tb.Fatalf("open JetStream: %v", err)
		}
		one := &writer{
			world: w, load: l, js: js, name: fmt.Sprintf("w%d", w.Rand.Uint32()),
			rand: rand.New(rand.NewPCG(w.Rand.Uint64(), 1)), pad: strings.Repeat("x", l.Pad),
		}
		all.wg.Go(func() { one.run(ctx, most) })
	}
	w.tb.Cleanup(all.Stop)
	return all
}

// Stop ends the writers and waits until each knows, as far as it can be known,
// what became of its last event.
func (all *Writers) Stop() {
	all.cancel()
	all.wg.Wait()
}

// Wait waits until writers of a bounded number of events are through.
func (all *Writers) Wait() { all.wg.Wait() }

// Publish publishes a number of events and waits for their acknowledgements.
func (w *World) Publish(l Load, events int) {
	w.tb.Helper()
	l = l.withDefaults()
	all := w.Write(l, (events+l.Writers-1)/l.Writers)
	all.Wait()
	all.Stop()
}

// AwaitAcked waits until n more events are acknowledged.
func (w *World) AwaitAcked(more int, within time.Duration) {
	w.tb.Helper()
	want := w.Acked() + more
	w.Eventually(fmt.Sprintf("%d more acknowledged events", more), within, func() error {
		if have := w.Acked(); have < want {
			return fmt.Errorf("%d of %d", have, want)
		}
		return nil
	})
}

// writer publishes one event after the other, so that its keys have an order.
type writer struct {
	world *World
	load  Load
	js    jetstream.JetStream
	name  string
	rand  *rand.Rand
	pad   string
}

func (p *writer) run(ctx context.Context, most int) {
	for n := 1; ctx.Err() == nil && (most <= 0 || n <= most); n++ {
		p.publish(ctx, p.event(n))
		if p.load.Every > 0 {
			pause(ctx, p.load.Every)
		}
	}
}

// event makes the writer's n-th event: mostly updates, of all kinds of tenants.
func (p *writer) event(n int) *nats.Msg {
	key := fmt.Sprintf("%s-k%d", p.name, p.rand.IntN(p.load.Keys))
	op := []string{"create", "update", "update", "update", "update", "read", "delete"}[p.rand.IntN(7)]
	payload := map[string]any{
		"id": key, "n": n, "writer": p.name, "tenant": []string{"acme", "globex", "initech"}[p.rand.IntN(3)],
		"secret": fmt.Sprintf("s-%d", p.rand.Uint32()),
		"address": map[string]any{
			"city": []string{"Paris", "Łódź", "東京"}[p.rand.IntN(3)], "zip": p.rand.IntN(99999),
		},
	}
	if p.pad != "" {
		payload["pad"] = p.pad
	}
	if op == "delete" {
		payload = map[string]any{"id": key} // a delete may carry its key alone
	}
	data, err := json.Marshal(payload)
	if err != nil {
		panic(err) // plain data always encodes
	}
	m := nats.NewMsg("db." + p.load.Entities[p.rand.IntN(len(p.load.Entities))] + "." + op)
	m.Data = data
	m.Header.Set("Nats-Msg-Id", fmt.Sprintf("%s-%d", p.name, n))
	m.Header.Set("Replhub-Version", fmt.Sprint(n))
	m.Header.Set("X-Writer", p.name)
	if p.load.Origin != "" {
		m.Header.Set("Replhub-Origin", p.load.Origin)
	}
	return m
}

// publish sends one event, again under the same id until it is answered.
func (p *writer) publish(ctx context.Context, m *nats.Msg) {
	id := m.Header.Get("Nats-Msg-Id")
	p.world.history.invoke(id)
	var giveUp time.Time
	for {
		once, cancel := context.WithTimeout(context.Background(), publishTime)
		ack, err := p.js.PublishMsg(once, m, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			p.world.history.settle(id, judge.Acked, ack.Sequence)
			return
		}
		if ctx.Err() != nil {
			if giveUp.IsZero() {
				giveUp = time.Now().Add(giveUpAfter)
			}
			if time.Now().After(giveUp) {
				p.world.history.settle(id, judge.Unknown, 0)
				return
			}
		}
		pause(context.Background(), 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
