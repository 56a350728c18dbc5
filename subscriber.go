package replhub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Errors with which Run ends by itself.
var (
	// ErrDetached: the hub has cut the service's lane off, and events were
	// missed. To start anew, register with a Start in each interest, StartAll or
	// StartSnapshot to get the missed state, and run again.
	ErrDetached = errors.New("the lane is detached and has missed events: register again with a Start in each interest, and run again")
	// ErrUnregistered: the service has no lane, or no interests and nothing left
	// to handle. To start anew, register and run again.
	ErrUnregistered = errors.New("the service is not registered: register, and run again")
	// ErrDrainTimeout: handlers did not end within Subscription.DrainTimeout;
	// they were left behind, and their events will be delivered again.
	ErrDrainTimeout = errors.New("handlers did not end in time")
)

// errReplan: the work queues are not as they were when Run looked.
var errReplan = errors.New("the work queues have changed")

const (
	// planTime is how long a lane may be without work queues, as it is for a
	// moment when they are created again.
	planTime = 10 * time.Second
	// describeEvery is the time between looks whether the lane is detached,
	// should the hub's own word get lost.
	describeEvery = 15 * time.Second
	// leaveTime bounds the farewell.
	leaveTime = time.Second
)

// Subscriber runs a handler over a service's events. Any number of instances
// of a service run side by side: under OrderNone they compete for every event,
// under OrderKey the partitions are spread over them, and follow within seconds
// when one joins, leaves or dies.
//
// Delivery is at least once. Under OrderKey the events of one key come strictly
// in order, redeliveries included, and one at a time; an instance that stood
// still for longer than its lease (3 s) begins nothing more of what it had, but
// a handler that runs at that moment cannot be stopped: its late effect is what
// package inbox refuses. Under OrderNone events of one key are handled one at a
// time and in the order of arrival within one instance; between instances there
// is no order.
type Subscriber struct {
	client  *Client
	cfg     Subscription
	handler Handler
	batches BatchHandler // in place of handler; nil for none
	stream  string
	api     string // prefix of JetStream's requests
	ready   chan struct{}
	began   sync.Once
	state   atomic.Pointer[SubscriberState] // of an outage that was told; nil without one

	// Of one round of serve.
	desk   *desk
	wg     sync.WaitGroup
	shares int // sources that share what may be in flight; guarded by desk.mu
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when the drain is over
}

// NewSubscriber checks the subscription. The client must name its service.
func NewSubscriber(client *Client, sub Subscription, handler Handler) (*Subscriber, error) {
	if handler == nil {
		return nil, errors.New("subscribe: the handler is missing")
	}
	sub = sub.withDefaults()
	if sub.MaxBatch > 0 {
		sub.MaxBatch = 1
	}
	s, err := newSubscriber(client, sub)
	if err != nil {
		return nil, err
	}
	s.handler = Chain(handler, sub.Middleware...)
	return s, nil
}

func newSubscriber(client *Client, sub Subscription) (*Subscriber, error) {
	if client.service.IsZero() {
		return nil, fmt.Errorf("subscribe: %w", ErrNoService)
	}
	if err := sub.validate(); err != nil {
		return nil, err
	}
	return &Subscriber{
		client: client, cfg: sub,
		stream: subjects.LaneStream(client.service), api: apiPrefix(client.js.Options()), ready: make(chan struct{}),
	}, nil
}

// Subscribe is NewSubscriber and Run.
func (c *Client) Subscribe(ctx context.Context, sub Subscription, handler Handler) error {
	s, err := NewSubscriber(c, sub, handler)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// Ready is closed when the subscriber is registered and asks for events.
func (s *Subscriber) Ready() <-chan struct{} { return s.ready }

// Run registers and handles events until ctx ends; then it takes no more, lets
// the handlers under way finish within DrainTimeout, gives the rest back, and
// returns nil. It ends by itself with ErrDetached, ErrUnregistered, ErrClosed,
// or a *Refused registration. Call it once.
func (s *Subscriber) Run(ctx context.Context) error {
	if err := s.register(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	for {
		err := s.serve(ctx)
		if !errors.Is(err, errReplan) || ctx.Err() != nil {
			return err
		}
		s.client.log.Info("the work queues have changed; looking at them anew", "service", s.client.Service())
		if pause(ctx, planTime/20) != nil {
			return nil
		}
	}
}

// register puts the registration in force. A lane that is there goes on when no
// hub is.
func (s *Subscriber) register(ctx context.Context) error {
	r := s.cfg.Registration
	if len(r.Interests) == 0 && r.Queue == (Queue{}) && r.MaxBytes == 0 {
		return nil
	}
	registered, err := s.client.Register(ctx, r)
	for _, warning := range registered.Warnings {
		s.client.log.Warn("registered, but look at this", "service", s.client.Service(), "warning", warning)
	}
	refusal, refused := errors.AsType[*Refused](err)
	switch {
	case err == nil:
		return nil
	case refused && refusal.Code == CodeDetached:
		return fmt.Errorf("%w: %s", ErrDetached, refusal.Message)
	case refused && refusal.Code != CodeUnavailable, ctx.Err() != nil:
		return fmt.Errorf("subscribe: %w", err)
	}
	if _, planErr := s.lookAtQueues(ctx); planErr != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.client.log.Warn("no hub takes the registration; going on with what is registered", "service", s.client.Service(), "err", err)
	return nil
}

// plan is how the lane is to be worked on.
type plan struct {
	ordered    bool
	partitions int // 0: to be learned from the hub
	ackWait    time.Duration
	born       time.Time
}

// lookAtQueues finds out what work queues the lane has.
func (s *Subscriber) lookAtQueues(ctx context.Context) (plan, error) {
	deadline := time.Now().Add(planTime)
	for {
		var err error
		for _, name := range []string{contract.ConsumerWorkers, contract.ConsumerWorkers + "-0"} {
			var info *jetstream.ConsumerInfo
			info, err = s.info(ctx, name)
			if err == nil {
				return plan{ordered: name != contract.ConsumerWorkers, ackWait: info.Config.AckWait, born: info.Created}, nil
			}
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				return plan{}, fmt.Errorf("%w: stream %s does not exist", ErrUnregistered, s.stream)
			}
		}
		if s.client.nc.IsClosed() {
			return plan{}, ErrClosed
		}
		if errors.Is(err, jetstream.ErrConsumerNotFound) && time.Now().After(deadline) {
			return plan{}, fmt.Errorf("%w: stream %s has no work queues", ErrUnregistered, s.stream)
		}
		if end := pause(ctx, settlePoll*4); end != nil {
			return plan{}, end
		}
	}
}

// info asks the server for a consumer's state.
func (s *Subscriber) info(ctx context.Context, consumer string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.Timeout)
	defer cancel()
	c, err := s.client.js.Consumer(ctx, s.stream, consumer)
	if err != nil {
		return nil, fmt.Errorf("look up consumer %s of %s: %w", consumer, s.stream, err)
	}
	return c.CachedInfo(), nil
}

// serve works on the queues as they are now, until ctx ends or they change.
func (s *Subscriber) serve(ctx context.Context) error {
	p, err := s.lookAtQueues(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var l *lease
	if p.ordered {
		l = &lease{from: time.Now(), ttl: leaseTTL}
	}
	intake, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	handlers, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s.desk, s.cancel, s.ended = newDesk(l), cancel, make(chan struct{})
	d := s.desk
	d.probePause, d.workers, d.maxBatch = s.cfg.probePause, s.cfg.Workers, s.cfg.MaxBatch
	defer s.forgetOutage()
	m := &member{s: s, plan: p, ctx: handlers, held: make(map[int]*source), freed: make(chan struct{}, 1)}
	tell, err := s.client.nc.Subscribe("replhub._detached."+s.client.Service(), func(msg *nats.Msg) {
		cancel(fmt.Errorf("%w: %s", ErrDetached, msg.Data))
	})
	if err != nil {
		return fmt.Errorf("subscribe: %w", closedError(err))
	}
	defer func() { _ = tell.Unsubscribe() }()

	kept := make(chan struct{})
	var loops sync.WaitGroup
	loops.Go(func() { s.keep(intake, d, p, kept) })
	var intakes sync.WaitGroup
	intakes.Go(func() { s.watchLane(intake) })
	if p.ordered {
		intakes.Go(func() {
			if err := m.run(intake); err != nil {
				cancel(err)
			}
		})
	} else {
		s.openOnly(handlers, m, p)
	}
	for range s.cfg.Workers {
		s.wg.Go(func() { s.work(d) })
	}
	s.began.Do(func() { close(s.ready) })
	<-intake.Done()
	intakes.Wait()
	err = s.drain(d, m, cut)
	close(kept)
	loops.Wait()
	close(s.ended)
	cut()
	if err == nil {
		s.wg.Wait()
	}
	s.tellSpilled(d)
	if cause := context.Cause(intake); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// openOnly opens the one source of a lane without order.
func (s *Subscriber) openOnly(ctx context.Context, m *member, p plan) {
	s.desk.mu.Lock()
	s.shares = 1
	src := s.newSource(ctx, p, -1)
	m.held[0] = src
	s.desk.mu.Unlock()
	s.open(src)
}

// drain gives back what has not begun, and waits for what has.
func (s *Subscriber) drain(d *desk, m *member, cut context.CancelFunc) error {
	var again []string
	d.mu.Lock()
	for _, src := range m.held {
		if !src.closed {
			again = append(again, src.close()...)
		}
	}
	d.shut()
	d.mu.Unlock()
	for _, reply := range again {
		s.respond(reply, ackAgain)
	}
	err := s.awaitQuiet(d, cut)
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if m.plan.ordered && !s.client.nc.IsClosed() {
		if _, err := m.join(ctx, true); err != nil {
			s.client.log.Debug("say farewell", "err", err)
		}
	}
	if s.client.nc.IsConnected() {
		_ = s.client.nc.FlushWithContext(ctx) // acknowledgements on their way; what is lost comes again
	}
	return err
}

func (s *Subscriber) awaitQuiet(d *desk, cut context.CancelFunc) error {
	timer := time.NewTimer(s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-d.quiet:
		return nil
	case <-timer.C:
	}
	cut()
	// A handler that heeds its context ends now.
	timer.Reset(leaveTime)
	select {
	case <-d.quiet:
		return nil
	case <-timer.C:
		return fmt.Errorf("drain: %w", ErrDrainTimeout)
	}
}

// replan has Run look at the work queues anew.
func (s *Subscriber) replan() { s.cancel(errReplan) }

// watchLane ends serve when the lane is detached, or when nothing is registered
// and nothing left.
func (s *Subscriber) watchLane(ctx context.Context) {
	every := time.NewTicker(describeEvery)
	defer every.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, s.client.cfg.Timeout)
		status, err := s.client.Describe(asked)
		cancel()
		switch {
		case err == nil && status.State == StateDetached:
			s.cancel(fmt.Errorf("%w: %s", ErrDetached, status.Reason))
		case err == nil && len(status.Entities) == 0 && status.Backlog == 0 && status.State != StateParked:
			s.cancel(ErrUnregistered)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-s.client.closed:
			s.cancel(ErrClosed)
			return
		}
	}
}

func closedError(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) {
		return ErrClosed
	}
	return err
}

// apiPrefix precedes the names of JetStream's requests.
func apiPrefix(opts jetstream.JetStreamOptions) string {
	switch {
	case opts.Domain != "":
		return "$JS." + opts.Domain + ".API."
	case opts.APIPrefix != "":
		return opts.APIPrefix
	}
	return jetstream.DefaultAPIPrefix
}
