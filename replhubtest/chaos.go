package replhubtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/pause"
)

// ChaosConfig says which faults a Chaos causes. Each share is a share of the
// deliveries, from 0 to 1; 0 means its default and less than 0 means never. The zero
// ChaosConfig causes a little of every fault that any subscriber may meet.
type ChaosConfig struct {
	// Seed determines the choices: the same seed makes the same choices for the same
	// events, in whatever order they come. 0 means a random seed, which the test's
	// log names.
	Seed uint64
	// Duplicates are handled twice in a row, like an event whose first
	// acknowledgement came late; 0.1 by default.
	Duplicates float64
	// LostAcks are handled, and then delivered again as if they had not been:
	// the process died, or the network did, between the effect and its
	// acknowledgement; 0.1 by default.
	LostAcks float64
	// Crashes have the handler's context cancelled in the middle of it, within
	// MaxDelay, and are delivered again whatever the handler says. A transaction
	// that was begun with the context is rolled back, unless it was committed
	// before; 0.1 by default.
	Crashes float64
	// Delays hold a delivery back for up to MaxDelay before it is handled, so
	// that other keys overtake it, and, with several instances under OrderNone,
	// newer events of its own key; 0.1 by default.
	Delays float64
	// MaxDelay bounds delays; 20 ms by default.
	MaxDelay time.Duration
	// WithinKey adds what OrderNone allows within a key and OrderKey does not.
	// Replays, 0.1 by default, are followed by an older delivery of their key, once
	// more. Overtaken ones, 0.1 by default, are acknowledged and handled after the
	// next one of their key, or after MaxDelay where none comes.
	WithinKey          bool
	Replays, Overtaken float64
}

const (
	defaultShare    = 0.1
	defaultMaxDelay = 20 * time.Millisecond
	// mostFaults bounds the attempts that chaos spoils of one event: it must not
	// become a dead letter by them.
	mostFaults = 3
)

func (c ChaosConfig) withDefaults() ChaosConfig {
	for _, share := range []*float64{&c.Duplicates, &c.LostAcks, &c.Crashes, &c.Delays, &c.Replays, &c.Overtaken} {
		*share = cmp.Or(*share, defaultShare)
	}
	if !c.WithinKey {
		c.Replays, c.Overtaken = -1, -1
	}
	c.Seed = cmp.Or(c.Seed, rand.Uint64())
	c.MaxDelay = cmp.Or(c.MaxDelay, defaultMaxDelay)
	return c
}

func (c ChaosConfig) validate() error {
	for _, share := range []struct {
		name string
		of   float64
	}{
		{"Duplicates", c.Duplicates},
		{"LostAcks", c.LostAcks},
		{"Crashes", c.Crashes},
		{"Delays", c.Delays},
		{"Replays", c.Replays},
		{"Overtaken", c.Overtaken},
	} {
		if share.of > 1 {
			return fmt.Errorf("config: %s %g: must be at most 1", share.name, share.of)
		}
	}
	if c.MaxDelay < 0 {
		return fmt.Errorf("config: MaxDelay %s: must be positive", c.MaxDelay)
	}
	return nil
}

// ChaosStats counts the faults.
type ChaosStats struct {
	// Deliveries are those that came, and Handled the calls of the handler.
	Deliveries, Handled int
	// The rest are as in ChaosConfig.
	Duplicates, LostAcks, Crashes, Delays, Replays, Overtaken int
}

// Chaos causes the faults that crashes, networks and other instances cause in
// handlers. One Chaos may serve several instances of a service. It may be used
// concurrently.
type Chaos struct {
	t       T
	cfg     ChaosConfig
	stopped chan struct{}
	wg      sync.WaitGroup

	mu     sync.Mutex // guards the rest
	stats  ChaosStats
	faults map[string]int // spoiled attempts by event
	turns  map[string]int // decisions made by event
	past   map[line][]call
	held   map[line][]*heldCall
}

// line is what events are in order by.
type line struct{ entity, key string }

// call is a delivery with the handler that is to have it.
type call struct {
	handler  replhub.Handler
	delivery replhub.Delivery
}

// heldCall is one that waits to be overtaken.
type heldCall struct {
	call
	taken chan struct{} // closed by who handles it
}

// NewChaos makes a chaos for one test, and logs its seed. What it holds back when
// the test ends is handled first.
func NewChaos(t T, cfg ChaosConfig) *Chaos {
	t.Helper()
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		t.Fatalf("chaos: %v", err)
	}
	t.Logf("chaos: seed %d", cfg.Seed)
	c := &Chaos{
		t: t, cfg: cfg, stopped: make(chan struct{}),
		faults: make(map[string]int), turns: make(map[string]int),
		past: make(map[line][]call), held: make(map[line][]*heldCall),
	}
	t.Cleanup(func() {
		close(c.stopped)
		c.wg.Wait()
	})
	return c
}

// Stats returns the counts so far.
func (c *Chaos) Stats() ChaosStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

var errInjected = errors.New("injected by the chaos")

// again has the subscriber try once more soon.
func again() error { return replhub.RetryAfter(time.Millisecond, errInjected) }

// Wrap is a replhub.Middleware. It spoils at most three attempts of one event, so
// SubscriberConfig.MaxAttempts, 10 by default, must be more than that for none to
// become a dead letter.
func (c *Chaos) Wrap(handler replhub.Handler) replhub.Handler {
	return replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		plan := c.plan(d, true)
		if plan.delay > 0 {
			if err := pause.For(ctx, plan.delay); err != nil {
				return err
			}
		}
		if plan.overtaken {
			c.hold(ctx, call{handler, copyOf(d)})
			return nil
		}
		if plan.crash {
			crash(ctx, plan.crashAfter, func(ctx context.Context) error { return c.handle(ctx, handler, d) })
			return again()
		}
		if err := c.handle(ctx, handler, d); err != nil {
			return err
		}
		if plan.duplicate {
			if err := c.handle(ctx, handler, d); err != nil {
				return err
			}
		}
		c.release(ctx, d)
		if plan.replay {
			c.replay(ctx, d)
		}
		c.remember(call{handler, copyOf(d)})
		if plan.lostAck {
			return again()
		}
		return nil
	})
}

// handle calls the handler with a delivery of its own, as a handler that writes
// into one must not spoil the next attempt.
func (c *Chaos) handle(ctx context.Context, handler replhub.Handler, d *replhub.Delivery) error {
	c.mu.Lock()
	c.stats.Handled++
	c.mu.Unlock()
	own := copyOf(d)
	return handler.Handle(ctx, &own)
}

// crash cuts a handler short after a while.
func crash(ctx context.Context, after time.Duration, handle func(context.Context) error) {
	ctx, cancel := context.WithTimeoutCause(ctx, after, errInjected)
	defer cancel()
	_ = handle(ctx) // a process that died has nothing to say
}

func copyOf(d *replhub.Delivery) replhub.Delivery {
	own := *d
	own.Data = slices.Clone(d.Data)
	return own
}

// plan is what is done to one delivery.
type plan struct {
	delay, crashAfter                            time.Duration
	duplicate, crash, lostAck, replay, overtaken bool
}

// plan decides by seed, event and how often that came, not by who came first. What
// a whole attempt suffers is decided for the delivery that leads it.
func (c *Chaos) plan(d *replhub.Delivery, leads bool) plan {
	event := cmp.Or(d.ID, fmt.Sprint(d.Entity, d.Key, d.Position))
	c.mu.Lock()
	defer c.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, event, " ", c.turns[event])
	c.turns[event]++
	r := rand.New(rand.NewPCG(c.cfg.Seed, h.Sum64()))
	chance := func(share float64) bool { return r.Float64() < share }
	span := func() time.Duration { return time.Duration(r.Int64N(int64(c.cfg.MaxDelay) + 1)) }

	var p plan
	c.stats.Deliveries++
	if chance(c.cfg.Delays) && leads {
		p.delay = span()
		c.stats.Delays++
	}
	spoil := leads && c.faults[event] < mostFaults
	switch {
	case d.Key != "" && chance(c.cfg.Overtaken):
		p.overtaken = true
		c.stats.Overtaken++
		return p
	case chance(c.cfg.Crashes) && spoil:
		p.crash, p.crashAfter = true, span()
		c.faults[event]++
		c.stats.Crashes++
		return p
	}
	if chance(c.cfg.Duplicates) {
		p.duplicate = true
		c.stats.Duplicates++
	}
	if chance(c.cfg.LostAcks) && spoil {
		p.lostAck = true
		c.faults[event]++
		c.stats.LostAcks++
	}
	p.replay = d.Key != "" && chance(c.cfg.Replays)
	return p
}
