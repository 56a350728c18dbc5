package harness

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Workers are instances of a service that handle what its queues give them.
type Workers struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards handled
	handled map[string]int
	given   *given
}

// given is what all workers of a stream were given. It may be used
// concurrently.
type given struct {
	mu       sync.Mutex // guards messages
	messages map[uint64]Stored
}

func (g *given) put(m Stored) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.messages[m.Seq] = m
}

func (g *given) get(seq uint64) (Stored, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, ok := g.messages[seq]
	return m, ok
}

// givenIn is what workers of a stream were given so far.
func (w *World) givenIn(stream string) *given {
	g := w.given[stream]
	if g == nil {
		g = &given{messages: make(map[uint64]Stored)}
		w.given[stream] = g
	}
	return g
}

// Work starts an instance on each of a service's consumers. It acknowledges
// every copy at once.
func (w *World) Work(service string, consumers ...string) *Workers {
	w.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	all := &Workers{cancel: cancel, handled: make(map[string]int), given: w.givenIn("SUB_" + service)}
	w.tb.Cleanup(all.Stop)
	js, err := jetstream.New(w.Connect())
	if err != nil {
		w.tb.Fatalf("open JetStream: %v", err)
	}
	for _, name := range consumers {
		all.wg.Go(func() { all.run(ctx, js, service, name) })
	}
	return all
}

// run works until ctx ends, over restarts of the server and new consumers.
func (all *Workers) run(ctx context.Context, js jetstream.JetStream, service, consumer string) {
	var c jetstream.Consumer
	for ctx.Err() == nil {
		if c == nil {
			var err error
			if c, err = js.Consumer(ctx, "SUB_"+service, consumer); err != nil {
				pause(ctx, 50*time.Millisecond)
				continue
			}
		}
		options := []jetstream.FetchOpt{jetstream.FetchMaxWait(500 * time.Millisecond)}
		if groups := c.CachedInfo().Config.PriorityGroups; len(groups) > 0 {
			options = append(options, jetstream.FetchPriorityGroup(groups[0]))
		}
		batch, err := c.Fetch(50, options...)
		if err != nil {
			c = nil
			continue
		}
		for m := range batch.Messages() {
			if meta, err := m.Metadata(); err == nil {
				all.given.put(Stored{
					Seq: meta.Sequence.Stream, Time: meta.Timestamp.UTC(), Subject: m.Subject(), Header: m.Headers(), Data: m.Data(),
				})
			}
			if m.Ack() == nil {
				all.count(m.Headers().Get("Replhub-Position") + " " + m.Headers().Get("Replhub-Id"))
			}
		}
		if batch.Error() != nil {
			c = nil // created again, or pinned to another: look it up again
		}
	}
}

func (all *Workers) count(id string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.handled[id]++
}

// Handled is how many different events were handled so far.
func (all *Workers) Handled() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return len(all.handled)
}

// Stop ends the instances.
func (all *Workers) Stop() {
	all.cancel()
	all.wg.Wait()
}
