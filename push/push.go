package push

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/subjects"
)

// Pusher delivers one service's events. Its methods may be called concurrently; call Run
// once.
type Pusher struct {
	cfg      Config
	service  subjects.Name
	client   *replhub.Client
	endpoint *endpoint
	gate     *gate

	subscriber atomic.Pointer[replhub.Subscriber]
	ready      atomic.Bool
	gone       atomic.Bool
	// paused is until when the service is paused because of a 410; nil when it is not.
	paused atomic.Pointer[time.Time]

	mu      sync.Mutex // guards the rest
	summary Summary
	// tried are the events whose last request had no success. The subscriber has them,
	// so they are few.
	tried map[string]struct{}
}

// Summary is what a Pusher did.
type Summary struct {
	Service string `json:"service"`
	// Delivered are the events that the endpoint acknowledged, and DeadLetters those that
	// became dead letters.
	Delivered   int `json:"delivered"`
	DeadLetters int `json:"dead_letters"`
	// Requests are all that were made, and Repeated those for an event that had one
	// before.
	Requests int `json:"requests"`
	Repeated int `json:"repeated"`
	// Answers counts requests by status; "none" are those without an answer.
	Answers map[string]int `json:"answers"`
}

// Run makes a Pusher and runs it. It blocks until ctx ends, or with Config.Once until the
// service has caught up.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	p, err := New(ctx, cfg)
	if err != nil {
		return Summary{Service: cfg.Service, Answers: map[string]int{}}, err
	}
	defer p.Close()
	err = p.Run(ctx)
	return p.Summary(), err
}

// New checks the config. It makes no request. The caller closes the Pusher.
func New(ctx context.Context, cfg Config) (*Pusher, error) {
	cfg = cfg.withDefaults()
	service, u, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	if cfg.Conn == nil {
		return nil, errors.New("push: Conn is missing: connect to NATS first")
	}
	e, err := newEndpoint(cfg, u)
	if err != nil {
		return nil, err
	}
	client, err := replhub.Connect(ctx, replhub.Config{Conn: cfg.Conn, Service: cfg.Service, Domain: cfg.Domain, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return &Pusher{
		cfg: cfg, service: service, client: client, endpoint: e, gate: newGate(),
		summary: Summary{Service: cfg.Service, Answers: make(map[string]int)}, tried: make(map[string]struct{}),
	}, nil
}

// Close releases the Pusher's idle connections and its client, but not Config.Conn.
func (p *Pusher) Close() {
	p.client.Close()
	p.endpoint.close()
}

// Run registers, and delivers events until ctx ends; then it lets the requests under way
// finish and returns nil. When the endpoint answers 410, Run pauses the service and goes
// on when the pause is over or somebody has resumed the service; with Config.Once it
// returns ErrGone. It ends by itself with the errors of Subscriber.Run.
func (p *Pusher) Run(ctx context.Context) error {
	registration, err := p.registration(ctx)
	if err != nil {
		return err
	}
	for {
		gone, err := p.runRound(ctx, registration)
		if !gone || err != nil || ctx.Err() != nil {
			return err
		}
		if p.cfg.Once {
			return fmt.Errorf("%w; the service is paused: run 'replhub resume %s' when the endpoint takes events again", ErrGone, p.service)
		}
	}
}

// newPartitions are those of a new service that states none.
const newPartitions = 4

// registration is the one to put in force: in order by key. A service that exists keeps
// its partitions.
func (p *Pusher) registration(ctx context.Context) (replhub.Registration, error) {
	r := p.cfg.Registration
	r.Queue.Order = replhub.OrderKey
	if r.Queue.Partitions > 0 {
		return r, nil
	}
	_, err := p.client.Describe(ctx)
	refusal, refused := errors.AsType[*replhub.RefusedError](err)
	switch {
	case !refused || refusal.Code != replhub.CodeNotFound:
		return r, nil // without an answer the subscriber goes on with what is registered
	case len(r.Interests) == 0:
		return r, fmt.Errorf("push: %s is not registered: name its entities (--entity), or register it", p.service)
	default:
		r.Queue.Partitions = newPartitions
		r.Queue.MaxDeliver = cmp.Or(r.Queue.MaxDeliver, bridge.NewMaxDeliver)
		return r, nil
	}
}

// runRound runs a subscriber until it ends. gone says that it ended because of a 410, and
// that the service is paused.
func (p *Pusher) runRound(ctx context.Context, registration replhub.Registration) (gone bool, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.gone.Store(false)
	r := &round{p: p, ending: ctx, gone: make(chan struct{}, 1)}
	s, err := replhub.NewSubscriber(p.client, replhub.SubscriberConfig{
		Registration: registration, Workers: p.cfg.Concurrency, MaxAttempts: p.cfg.MaxAttempts, DrainTimeout: p.cfg.DrainTimeout,
		MinBackoff: p.cfg.backoff / 10, MaxBackoff: p.cfg.maxBackoff,
		OnDead: p.died,
	}, replhub.HandlerFunc(r.handle))
	if err != nil {
		return false, err
	}
	p.subscriber.Store(s)
	var watching sync.WaitGroup
	watching.Go(func() { gone = p.watch(ctx, s, r, stop) })
	err = bridge.Subscribe(ctx, s, p.once())
	stop(nil)
	watching.Wait()
	p.ready.Store(false)
	p.forgetAll()
	if gone && (errors.Is(err, ErrGone) || errors.Is(err, bridge.ErrPaused)) {
		err = nil // Subscribe's word for having been told to end
	}
	return gone, err
}

// Lane asks the hub for the service's lane.
func (p *Pusher) Lane(ctx context.Context) (replhub.Status, error) { return p.client.Describe(ctx) }

func (p *Pusher) once() *bridge.CaughtUp {
	if !p.cfg.Once {
		return nil
	}
	return &bridge.CaughtUp{Client: p.client, Logger: p.cfg.Logger}
}

// watch notes when the subscriber is ready, and after a 410 pauses the service and ends
// the round. It reports whether it did.
func (p *Pusher) watch(ctx context.Context, s *replhub.Subscriber, r *round, stop context.CancelCauseFunc) (paused bool) {
	ready := s.Ready()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ready:
			p.ready.Store(true)
			ready = nil
		case <-r.gone:
			if !p.pauseService(ctx) {
				return false
			}
			stop(ErrGone)
			return true
		}
	}
}

// keysNow are the keys that sign, and logs when their source becomes unreadable or
// readable.
func (p *Pusher) keysNow() [][]byte {
	keys, fault, changed := p.endpoint.keys.now()
	switch {
	case changed && fault != nil:
		p.cfg.Logger.Warn("the secrets cannot be read; the secrets that were read before stay in use", "err", fault)
	case changed:
		p.cfg.Logger.Info("the secrets can be read again")
	}
	return keys
}

// shut makes all requests wait, as the endpoint asks.
func (p *Pusher) shut(alone bool, a *answer, wait time.Duration, given bool) {
	length, began := p.gate.shut(alone, func(before int) time.Duration { return p.pauseLength(wait, given, before) })
	if began {
		p.cfg.Logger.Warn("the endpoint asks for a wait; no request is made until it is over", "endpoint", p.endpoint.name(), "status", a.status, "wait", length.String())
	}
}

// pauseLength is how long to wait after an answer that asks for it, given how many such
// answers came in a row before. A wait of 0 that is asked for again and again grows, too.
func (p *Pusher) pauseLength(wait time.Duration, given bool, before int) time.Duration {
	step := p.cfg.backoff << min(before, 5)
	if given {
		return min(max(wait, step/10), p.cfg.MaxRetryAfter)
	}
	return min(step, p.cfg.MaxRetryAfter)
}

func (p *Pusher) delivered(d *replhub.Delivery) {
	p.paused.Store(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.summary.Delivered++
	delete(p.tried, webhookID(d))
}

func (p *Pusher) died(d *replhub.Delivery, cause error) {
	p.mu.Lock()
	p.summary.DeadLetters++
	delete(p.tried, webhookID(d))
	p.mu.Unlock()
	p.cfg.OnDead(d, cause)
}

func (p *Pusher) count(r Request) {
	p.mu.Lock()
	p.summary.Requests++
	if r.Repeated {
		p.summary.Repeated++
	}
	status := "none"
	if r.Status > 0 {
		status = strconv.Itoa(r.Status)
	}
	p.summary.Answers[status]++
	p.mu.Unlock()
	p.cfg.OnRequest(r)
}

func (p *Pusher) failed(d *replhub.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried[webhookID(d)] = struct{}{}
}

func (p *Pusher) forget(d *replhub.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tried, webhookID(d))
}

func (p *Pusher) forgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tried)
}

func (p *Pusher) wasTried(d *replhub.Delivery) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, tried := p.tried[webhookID(d)]
	return tried
}

// Summary returns what was done so far.
func (p *Pusher) Summary() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.summary
	s.Answers = maps.Clone(p.summary.Answers)
	return s
}
