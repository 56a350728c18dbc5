package world

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/soak/tally"
)

const (
	// One in failOneIn deliveries is given back, one in leaveOneIn is left
	// without an acknowledgement. Both come again. More of the latter would have
	// consumers wait for something all the time, and none would look idle.
	failOneIn  = 1000
	leaveOneIn = 20_000
	// askAhead is how many copies a plain client asks for at a time.
	askAhead = 64
)

// crew are a service's workers: they go on whatever happens to their consumers.
type crew struct {
	service string
	ordered bool
	dial    func(name string) (*nats.Conn, error)
	account *tally.Service
	odd     func(format string, args ...any)

	mu      sync.Mutex // guards the rest
	members []*worker
}

type worker struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// start has the crew work with a number of workers.
func (c *crew) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.members); i < instances; i++ {
		c.members = append(c.members, c.hire(i))
	}
}

// stop ends all workers; what they have begun they finish.
func (c *crew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.members {
		w.cancel()
	}
	for _, w := range c.members {
		<-w.done
	}
	c.members = nil
}

// bounce has one worker leave and come back.
func (c *crew) bounce(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i >= len(c.members) {
		return
	}
	c.members[i].cancel()
	<-c.members[i].done
	c.members[i] = c.hire(i)
}

func (c *crew) hire(i int) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{cancel: cancel, done: make(chan struct{})}
	work := c.plain
	if c.ordered {
		work = c.keyed
	}
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			nc, err := c.dial(fmt.Sprintf("%s worker %d", c.service, i))
			if err == nil {
				err = work(ctx, nc)
				nc.Close()
			}
			// A service without interests has no instances; it gets some again.
			if err != nil && ctx.Err() == nil && !errors.Is(err, replhub.ErrUnregistered) {
				c.odd("%s: worker %d begins again: %v", c.service, i, err)
			}
			pause(ctx, 2*retryEvery)
		}
	}()
	return w
}

// plain is a pull consumer's client as anybody may write it.
func (c *crew) plain(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		c.consume(ctx, js) // ends with the consumer, which a rewind makes again
		pause(ctx, retryEvery)
	}
	return nil
}

func (c *crew) consume(ctx context.Context, js jetstream.JetStream) {
	asked, cancel := context.WithTimeout(ctx, askTime)
	consumer, err := js.Consumer(asked, "SUB_"+c.service, "workers")
	cancel()
	if err != nil {
		return
	}
	it, err := consumer.Messages(jetstream.PullMaxMessages(askAhead), jetstream.PullExpiry(4*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, it.Stop)()
	defer it.Stop()
	for {
		m, err := it.Next()
		if err != nil {
			return
		}
		meta, err := m.Metadata()
		if err != nil {
			c.odd("%s: metadata: %v", c.service, err)
			continue
		}
		switch {
		case rand.IntN(leaveOneIn) == 0:
			continue
		case rand.IntN(failOneIn) == 0:
			_ = m.Nak() // what is lost comes again as well
			continue
		}
		c.handled(m.Headers(), uint32(meta.Sequence.Stream), meta.Sequence.Stream)
		_ = m.Ack() // as above
	}
}

// keyed is an instance of the SDK's.
func (c *crew) keyed(ctx context.Context, nc *nats.Conn) error {
	client, err := replhub.Connect(ctx, replhub.Config{Conn: nc, Service: c.service, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer client.Close()
	return client.RunSubscriber(ctx, replhub.SubscriberConfig{
		Workers: 4, MaxAttempts: 1 << 20, MinBackoff: 10 * time.Millisecond, MaxBackoff: time.Second, DrainTimeout: 5 * time.Second,
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		if rand.IntN(failOneIn) == 0 {
			return errOnPurpose
		}
		id, lane := identity(d.Header)
		c.handled(d.Header, id, lane)
		return nil
	}))
}

var errOnPurpose = errors.New("failed on purpose")

// identity tells copies of one event apart by what the hub's append stated: the
// lane's sequence before the copy, or the batch and the place in it.
func identity(h nats.Header) (id uint32, lane uint64) {
	if batch := h.Get("Nats-Batch-Id"); batch != "" {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(batch + "/" + h.Get("Nats-Batch-Sequence"))) // never fails
		return max(sum.Sum32(), 1), 0
	}
	before, err := strconv.ParseUint(h.Get("Nats-Expected-Last-Sequence"), 10, 64)
	if err != nil {
		return 1, 0
	}
	return uint32(before + 1), before + 1
}

// handled puts a copy into the account.
func (c *crew) handled(h nats.Header, id uint32, lane uint64) {
	var one tally.Copy
	var seq uint64
	_, err := fmt.Sscanf(h.Get("Replhub-Position"), "1-%d", &seq)
	if err == nil {
		_, err = fmt.Sscanf(h.Get(headerSoak), "%d.%d", &one.Entity, &one.Key)
	}
	if err != nil {
		c.odd("%s: a copy with headers %v", c.service, h)
		return
	}
	one.Seq, one.ID, one.Lane = seq, id, lane
	c.account.Handled(one)
}
