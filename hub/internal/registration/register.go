// Package registration puts the requests of services in force in their lanes: it
// registers, unregisters and drops. A lane's state record decides which interests are
// in force. The registry is written afterwards.
package registration

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/consumers"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Config is what a Registrar needs. Every field is required.
type Config struct {
	JS          jetstream.JetStream
	Conn        *nats.Conn
	Replicas    int
	Ingest      *ingest.Ingest
	Appender    *lane.Appender
	Hubs        *ownership.Hubs
	Lanes       *lanes.Set
	Watch       *consumers.Watch
	Book        *record.Book
	DeadLetters *deadletter.Queue
	Rosters     *partition.Rosters
	// The quotas, as in hub.Config.
	MaxLanes         int
	MaxLaneBytes     int64
	MaxRegistrations int
	Policies         *policy.Enforcer
	// Started is when this process began, by the servers' time.
	Started time.Time
	// Failpoint is called at named steps; tests kill the process there.
	Failpoint func(step string)
	Logger    *slog.Logger
}

// Registrar registers services, and ends their interests. Its methods may be called
// concurrently.
type Registrar struct {
	cfg  Config
	rate *rate
}

// New makes a Registrar.
func New(cfg Config) *Registrar { return &Registrar{cfg: cfg, rate: newRate(cfg.MaxRegistrations)} }

// Register answers replhub.register.
func (r *Registrar) Register(ctx context.Context, service subjects.Name, req contract.Register) (any, error) {
	if err := r.quotaOfRegistrations(service); err != nil {
		return nil, err
	}
	checked, err := request.Parse(req, r.Known(service))
	if err != nil {
		return nil, err
	}
	if err := r.quotaOfBytes(checked.MaxBytes); err != nil {
		return nil, err
	}
	return r.Apply(ctx, service, checked)
}

// Known returns the interests in force in a service's lane, as far as this hub
// remembers them. They save compiling a registration that a service repeats at each
// start.
func (r *Registrar) Known(service subjects.Name) request.Known {
	l := r.cfg.Lanes.Get(service)
	if l == nil {
		return func(lane.Interest) (*match.Interest, error) { return nil, nil }
	}
	state := l.Status().State
	return func(in lane.Interest) (*match.Interest, error) {
		have := state.Find(in.Entity)
		if have == nil || !have.Equal(in.Definition) {
			return nil, nil
		}
		return l.Compiled(*have)
	}
}

// Apply puts a registration in force in the service's lane and returns once it is:
// the lane's state record holds it, and the consumers exist. The registry is written
// through afterwards; while it is away, the lane's state replaces it.
func (r *Registrar) Apply(ctx context.Context, service subjects.Name, req request.Request) (contract.Registered, error) {
	one := &registration{cfg: &r.cfg, registrar: r, service: service, request: req, anchor: newAnchor(r.cfg.Ingest, service)}
	state, err := one.apply(ctx)
	if err != nil {
		err = reply.Limited(err)
		one.anchor.abandon(ctx, err)
		return contract.Registered{}, err
	}
	r.cfg.Failpoint("registered")
	if state, err = r.cfg.Watch.Ensure(ctx, service, state); err != nil {
		return contract.Registered{}, err
	}
	r.cfg.Failpoint("consumers")
	if err := one.anchor.release(ctx); err != nil {
		return contract.Registered{}, err
	}
	r.cfg.Failpoint("unpinned")
	r.cfg.Lanes.Announce(service)
	r.cfg.Book.Write(ctx, service, state, req.ID())
	registered := r.registered(service, state, req)
	registered.Warnings = append(req.Warnings(), limited(state, req)...)
	return registered, nil
}

// apply puts the request in force. A lane that is dropped meanwhile is created again.
func (r *registration) apply(ctx context.Context) (lane.State, error) {
	for {
		l, err := r.laneFor(ctx)
		if err != nil {
			return lane.State{}, err
		}
		r.lane = l
		state, err := l.Change(ctx, r.edit)
		if errors.Is(err, lane.ErrDropped) {
			if err := r.registrar.awaitDrop(ctx, r.service); err != nil {
				return lane.State{}, err
			}
			l.Recheck()
			continue
		}
		if errors.Is(err, lane.ErrNoLane) && ctx.Err() == nil {
			if err := r.cfg.Lanes.Ended(ctx, l); err != nil {
				return lane.State{}, err
			}
			continue
		}
		return state, err
	}
}

// laneFor returns the service's lane, created when it is not there. Only a
// registration creates a lane, and only if the lane's first state can hold it: a
// refused registration leaves no lane behind.
func (r *registration) laneFor(ctx context.Context) (*lane.Lane, error) {
	if l := r.cfg.Lanes.Get(r.service); l != nil {
		return l, nil
	}
	_, err := r.cfg.Lanes.State(ctx, r.service)
	if errors.Is(err, lane.ErrNoLane) {
		if len(r.request.Wants) == 0 {
			return nil, contract.Errorf(contract.CodeNotFound, "service %q is not registered; name the entities it wants", r.service)
		}
		if err := r.registrar.quotaOfLanes(); err != nil {
			return nil, err
		}
		if err := r.cfg.Lanes.MayCreate(ctx, r.service); err != nil {
			return nil, err
		}
		err = r.createLane(ctx)
	}
	if err != nil && !errors.Is(err, lane.ErrStateLost) && !errors.Is(err, lane.ErrNewer) {
		return nil, err
	}
	return r.cfg.Lanes.Add(r.service), nil
}

func (r *registration) createLane(ctx context.Context) error {
	at, _, err := r.cfg.Ingest.End(ctx)
	if err != nil {
		return err
	}
	queue, maxBytes, _ := r.cfg.Book.Queue(r.service)
	queue = request.MergeQueue(queue, r.request.Queue)
	if r.request.MaxBytes > 0 {
		maxBytes = r.request.MaxBytes
	} else if err := r.registrar.quotaOfRecord(r.service, maxBytes); err != nil {
		return err
	}
	first := lane.First(at, queue, maxBytes)
	if _, _, err := r.edit(ctx, lane.Tip{State: first}); err != nil {
		return err
	}
	err = lane.Create(ctx, r.cfg.JS, r.cfg.Appender, r.service, r.cfg.Replicas, first, r.cfg.Hubs.ID())
	if foreign, ok := errors.AsType[*hubstream.ForeignError](err); ok {
		return contract.Errorf(contract.CodeConflict, "%v", foreign)
	}
	return err
}

// maxLimited bounds the warnings about policies.
const maxLimited = 20

// limited describes what policies leave out of the interests of which a request speaks.
func limited(s lane.State, req request.Request) []string {
	var texts []string
	for _, in := range s.Interests {
		if !req.SpeaksOf(in.Entity) || len(texts) == maxLimited {
			continue
		}
		if text := policy.Warning(in); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// registered is the reply for a state that is in force. It covers the entities that
// the request names, or all if it names none.
func (r *Registrar) registered(service subjects.Name, s lane.State, req request.Request) contract.Registered {
	out := contract.Registered{
		Service:   service.String(),
		Stream:    subjects.LaneStream(service),
		Consumers: lane.Consumers(s.Queue),
		Epoch:     r.cfg.Ingest.Epoch(),
		Since:     make(map[string]uint64, len(req.Wants)),
		Complete:  true,
		Seq:       s.Pos.Seq + 1,
	}
	for _, in := range s.Interests {
		if !req.SpeaksOf(in.Entity) {
			continue
		}
		out.Since[in.Entity] = in.Since.Seq
		out.Complete = out.Complete && !in.Partial
	}
	return out
}
