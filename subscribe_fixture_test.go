package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
)

// instance is a subscriber that runs until the test ends, or it is stopped or
// killed.
type instance struct {
	t      *testing.T
	nc     *nats.Conn
	sub    *replhub.Subscriber
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done
	killed atomic.Bool
}

// instance starts a subscriber with a connection of its own.
func (l *lab) instance(service string, sub replhub.SubscriberConfig, handle replhub.HandlerFunc) *instance {
	l.t.Helper()
	return l.launch(service, sub, func(i *instance, client *replhub.Client) (*replhub.Subscriber, error) {
		return replhub.NewSubscriber(client, sub, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
			if i.killed.Load() { // a dead process handles nothing
				return errors.New("killed")
			}
			return handle(ctx, d)
		}))
	})
}

// batches is instance with a handler of batches.
func (l *lab) batches(service string, sub replhub.SubscriberConfig, handle replhub.BatchHandlerFunc) *instance {
	l.t.Helper()
	return l.launch(service, sub, func(i *instance, client *replhub.Client) (*replhub.Subscriber, error) {
		return replhub.NewBatchSubscriber(client, sub, replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
			if i.killed.Load() {
				return errors.New("killed")
			}
			return handle(ctx, batch)
		}))
	})
}

// launch starts the subscriber that create makes.
func (l *lab) launch(service string, sub replhub.SubscriberConfig, create func(*instance, *replhub.Client) (*replhub.Subscriber, error)) *instance {
	l.t.Helper()
	nc, err := nats.Connect(l.url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	client := l.client(func(c *replhub.Config) {
		c.URL, c.Options, c.Conn, c.Service = "", nil, nc, service
		c.Logger = slog.New(slog.NewTextHandler(l.t.Output(), nil)).With("instance", sub.Instance)
		if l.log != nil {
			c.Logger = l.log.logger()
		}
	})
	i := &instance{t: l.t, nc: nc, done: make(chan struct{})}
	s, err := create(i, client)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	i.sub, i.cancel = s, cancel
	go func() {
		defer close(i.done)
		i.err = s.Run(ctx)
	}()
	l.t.Cleanup(func() {
		cancel()
		<-i.done
		client.Close()
		nc.Close()
	})
	select {
	case <-s.Ready():
	case <-i.done:
	}
	return i
}

// stop has the subscriber drain, and returns what Run did.
func (i *instance) stop() error {
	i.cancel()
	return i.wait()
}

func (i *instance) wait() error {
	i.t.Helper()
	select {
	case <-i.done:
		return i.err
	case <-time.After(20 * time.Second):
		i.t.Fatal("the subscriber did not end")
		return nil
	}
}

// kill takes the subscriber off the server without a farewell.
func (i *instance) kill() {
	i.killed.Store(true)
	i.nc.Close()
}

// feed publishes events of ingest; each payload is a number that counts up.
func (l *lab) feed(from, to int, key func(n int) string) {
	l.t.Helper()
	js := l.js()
	var last jetstream.PubAckFuture
	for n := from; n < to; n++ {
		m := nats.NewMsg("db.user.update")
		m.Data = []byte(strconv.Itoa(n))
		if k := key(n); k != "" {
			m.Header.Set("Replhub-Key", k)
		}
		var err error
		if last, err = js.PublishMsgAsync(m); err != nil {
			l.t.Fatal(err)
		}
	}
	select {
	case <-last.Ok():
	case err := <-last.Err():
		l.t.Fatal(err)
	}
	<-js.PublishAsyncComplete()
}

// keyed spreads numbers over keys.
func keyed(keys int) func(int) string {
	return func(n int) string { return "k" + strconv.Itoa(n%keys) }
}

// users registers interest in the entity "user".
func users(queue replhub.Queue) replhub.Registration {
	return replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: queue}
}

// book notes what handlers get, and what they must not.
type book struct {
	mu      sync.Mutex
	last    map[string]int // by key
	seen    map[int]int    // by number
	at      map[string]int // partitions at work now
	total   int            // first deliveries
	repeats int            // deliveries of what was handled
	faults  []string
	byWhom  map[string]int
}

func newBook() *book {
	return &book{last: map[string]int{}, seen: map[int]int{}, at: map[string]int{}, byWhom: map[string]int{}}
}

// begin notes that a handler begins; what it returns is called at its end.
func (r *book) begin(who string, d *replhub.Delivery) (end func()) {
	n, err := strconv.Atoi(string(d.Data))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.faults = append(r.faults, err.Error())
	}
	if r.at[d.Key]++; r.at[d.Key] > 1 {
		r.faults = append(r.faults, fmt.Sprintf("%s begins %d of key %s while another is at work on it", who, n, d.Key))
	}
	// What was handled and not acknowledged comes again, from there on in order.
	if last, ok := r.last[d.Key]; ok && n < last && r.seen[n] == 0 {
		r.faults = append(r.faults, fmt.Sprintf("%s got %d of key %s after %d", who, n, d.Key, last))
	}
	r.last[d.Key] = n
	if r.seen[n]++; r.seen[n] == 1 {
		r.total++
	} else {
		r.repeats++
	}
	r.byWhom[who]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.at[d.Key]--
	}
}

func (r *book) counts() (total, repeats int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total, r.repeats
}

// check fails the test for what handlers should not have got.
func (r *book) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, fault := range r.faults {
		if i == 10 {
			t.Errorf("and %d more", len(r.faults)-i)
			break
		}
		t.Error(fault)
	}
}
