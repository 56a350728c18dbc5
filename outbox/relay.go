package outbox

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// Relay publishes committed rows and deletes them. Any number of relays, in any
// number of processes, may work on one outbox.
type Relay struct {
	cfg    RelayConfig
	box    *Outbox
	shards shards
	// publishAll is the Publisher's method for several events.
	publishAll func(context.Context, []replhub.Event) ([]replhub.Ack, error)

	wake     chan struct{} // holds one: rows are there
	hint     chan struct{} // holds one: rows were written, and may be committed soon
	pace     pace          // Run's own
	ready    bool          // Run's own: shards.begin went through
	crowded  bool          // Run's own: the last pass filled a batch
	failed   bool          // Run's own: the last pass failed
	resting  atomic.Bool   // for tests: a look found nothing, and the next is to come
	counters counters
}

// NewRelay makes a relay of this outbox; Run runs it.
func (o *Outbox) NewRelay(cfg RelayConfig) (*Relay, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if o.cfg.Log {
		return nil, errNoTable
	}
	r := &Relay{cfg: cfg, box: o, publishAll: publishing(cfg.Publisher), wake: make(chan struct{}, 1), hint: make(chan struct{}, 1)}
	if o.cfg.Dialect == database.SQLite {
		r.cfg.PublishTimeout = min(cfg.PublishTimeout, cfg.Lease/2)
		r.shards = &leases{box: o, db: cfg.DB, limit: cfg.BatchSize, owner: rand.Text(), lease: cfg.Lease}
	} else {
		r.shards = &locks{box: o, db: cfg.DB, limit: cfg.BatchSize}
	}
	return r, nil
}

// Wake tells the relay that a transaction with events was committed, so that they are
// published at once instead of at the next look. A service need not call it: Enqueue
// makes the relays of its own process look soon. Wake never blocks; without a running
// relay it has no effect.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // the relay will look anyway
	}
}

// settleTimeout is how long a batch that was published may still be deleted
// after Run's context ended.
const settleTimeout = 5 * time.Second

// Run publishes until ctx ends, and then returns nil. When NATS, the hub or the database
// is unavailable, it logs that once per outage, waits and tries again. Call Run once.
func (r *Relay) Run(ctx context.Context) error {
	late, cancel := outlive(ctx, settleTimeout)
	defer cancel()
	r.box.audience.join(r)
	defer r.box.audience.leave(r)
	trouble := episode{log: r.cfg.Logger, began: "outbox relay cannot publish, and tries again", ended: "outbox relay publishes again"}
	for ctx.Err() == nil {
		found, err := r.look(ctx, late)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			r.counters.retries.Add(1)
			sleep(ctx, r.backoff(trouble.failed(pooled(err))))
		default:
			trouble.over()
			if found {
				r.pace.traffic(time.Now())
			} else {
				r.rest(ctx)
			}
		}
	}
	return nil
}

// look makes a pass, once the database's abilities are known.
func (r *Relay) look(ctx, late context.Context) (found bool, err error) {
	if !r.ready {
		if err := r.shards.begin(ctx, r.cfg.Logger); err != nil {
			return false, err
		}
		r.ready = true
	}
	return r.pass(ctx, late)
}

// rest waits until it is time to look again. A hint brings that forward, and
// never puts it off.
func (r *Relay) rest(ctx context.Context) {
	r.resting.Store(true)
	defer r.resting.Store(false)
	longest := jitter(r.cfg.Poll) // spreads relays that began to wait together
	due := time.Now()
	due = due.Add(r.pace.wait(due, longest))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-r.wake:
			r.pace.traffic(time.Now())
			return
		case <-r.hint:
			now := time.Now()
			r.pace.traffic(now)
			if sooner := now.Add(r.pace.wait(now, longest)); sooner.Before(due) {
				due = sooner
				timer.Reset(time.Until(due))
			}
		case <-ctx.Done():
			return
		}
	}
}

// outlive is a context that ends some time after its parent does.
func outlive(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() {
		stop()
		cancel()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// backoff is the time to wait after a number of failures in a row, with jitter.
func (r *Relay) backoff(failures int) time.Duration {
	d := r.cfg.MinBackoff
	for i := 1; i < failures && d < r.cfg.MaxBackoff; i++ {
		d *= 2
	}
	return jitter(min(d, r.cfg.MaxBackoff))
}

// jitter spreads relays that began to wait together: three to five quarters of d.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(mathrand.Int64N(int64(d)/2+1))
}
