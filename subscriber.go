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
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/subjects"
)

// Errors with which Run ends by itself.
var (
	// ErrDetached means that the hub has cut off the service's lane, and that events
	// were missed. To start again, register with a Start in each interest (StartAll
	// or StartSnapshot gets the missed state), and run again.
	ErrDetached = errors.New("the lane is detached and has missed events: register again with a Start in each interest, and run again")
	// ErrUnregistered means that the service has no lane, or no interests and no
	// event left to handle. To start again, register and run again.
	ErrUnregistered = errors.New("the service is not registered: register, and run again")
	// ErrDrainTimeout means that handlers did not end within
	// SubscriberConfig.DrainTimeout. Run returned while they still ran, and their
	// events will be delivered again.
	ErrDrainTimeout = errors.New("handlers did not end in time")
)

// errReplan means that the work queues have changed since Run looked.
var errReplan = errors.New("the work queues have changed")

const (
	// planTime is how long a lane may be without work queues, which happens briefly
	// when the hub creates them again. planPause is the time between looks.
	planTime  = 10 * time.Second
	planPause = 200 * time.Millisecond
)

// Subscriber runs a handler over a service's events. Any number of instances
// of a service run side by side: under OrderNone they compete for every event,
// under OrderKey the partitions are spread over them, and follow within seconds
// when one joins, leaves or dies.
//
// Delivery is at least once. Under OrderKey the events of one key come strictly in
// order, redeliveries included, and one at a time. An instance that stood still for
// longer than its lease (3 s) discards the events that it has not begun; a handler
// that runs at that moment cannot be stopped, and package inbox refuses its late
// effect. Under OrderNone the events of one key are handled one at a time and in the
// order of arrival within one instance; between instances there is no order.
type Subscriber struct {
	client  *Client
	cfg     SubscriberConfig
	handler Handler
	batches BatchHandler // set instead of handler for batches; else nil
	stream  string
	api     string // prefix of JetStream's requests
	ready   chan struct{}
	began   sync.Once
	state   atomic.Pointer[SubscriberState] // of an outage that was told; nil without one
	outages outageLog

	driver *driver                // of one round of serve
	serves atomic.Pointer[driver] // that driver while it runs
}

// NewSubscriber makes a Subscriber and checks its config. The client needs
// Config.Service.
func NewSubscriber(client *Client, sub SubscriberConfig, handler Handler) (*Subscriber, error) {
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

func newSubscriber(client *Client, sub SubscriberConfig) (*Subscriber, error) {
	if client.service.IsZero() {
		return nil, fmt.Errorf("subscribe: %w", ErrNoService)
	}
	if err := sub.validate(); err != nil {
		return nil, err
	}
	return &Subscriber{
		client: client, cfg: sub,
		stream: subjects.LaneStream(client.service), api: jsapi.Prefix(client.js.Options()), ready: make(chan struct{}),
	}, nil
}

// RunSubscriber makes a Subscriber and runs it. It blocks until ctx ends or the
// subscription cannot continue; see Subscriber.Run.
func (c *Client) RunSubscriber(ctx context.Context, sub SubscriberConfig, handler Handler) error {
	s, err := NewSubscriber(c, sub, handler)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// Ready returns a channel that is closed when the subscriber is registered and
// requests events.
func (s *Subscriber) Ready() <-chan struct{} { return s.ready }

// Run registers and handles events until ctx ends; then it takes no more, lets
// the handlers under way finish within DrainTimeout, gives the rest back, and
// returns nil. It ends by itself with ErrDetached, ErrUnregistered, ErrClosed,
// or a *RefusedError registration. Call it once.
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
		s.client.log.Info("the work queues have changed; reading them again", "service", s.client.Service())
		if pause.For(ctx, planTime/20) != nil {
			return nil
		}
	}
}

// register puts the registration in force. Without a hub, the work on an existing
// lane goes on.
func (s *Subscriber) register(ctx context.Context) error {
	r := s.cfg.Registration
	if len(r.Interests) == 0 && r.Queue == (Queue{}) && r.MaxBytes == 0 {
		return nil
	}
	registered, err := s.client.Register(ctx, r)
	for _, warning := range registered.Warnings {
		s.client.log.Warn("registered, but look at this", "service", s.client.Service(), "warning", warning)
	}
	refusal, refused := errors.AsType[*RefusedError](err)
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
	s.client.log.Warn("no hub answers the registration; continuing with the registration in force", "service", s.client.Service(), "err", err)
	return nil
}

// plan says which work queues the lane has.
type plan struct {
	ordered    bool
	partitions int // 0 until the hub reports it
	ackWait    time.Duration
	created    time.Time
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
				return plan{ordered: name != contract.ConsumerWorkers, ackWait: info.Config.AckWait, created: info.Created}, nil
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
		if end := pause.For(ctx, planPause); end != nil {
			return plan{}, end
		}
	}
}

func closedError(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) {
		return ErrClosed
	}
	return err
}
