package hub

import (
	"context"
	"errors"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// register puts a registration in force in the service's lane and returns once
// it is: the lane's state record holds it, and the consumers exist. The
// registry is written through afterwards; when it is away, the lane's state
// stands in for it until it is back.
func (h *Hub) register(ctx context.Context, service subjects.Name, req request) (contract.Registered, error) {
	r := &registration{hub: h, service: service, request: req, anchor: newAnchor(h.ingest, service)}
	state, err := r.apply(ctx)
	if err != nil {
		err = limited(err)
		r.anchor.abandon(ctx, err)
		return contract.Registered{}, err
	}
	h.env.Failpoint("registered")
	if state, err = h.ensureConsumers(ctx, service, state); err != nil {
		return contract.Registered{}, err
	}
	h.env.Failpoint("consumers")
	if err := r.anchor.release(ctx); err != nil {
		return contract.Registered{}, err
	}
	h.env.Failpoint("unpinned")
	h.announce(service)
	h.writeThrough(ctx, service, state)
	reply := h.registered(service, state, req)
	reply.Warnings = req.warnings()
	return reply, nil
}

// apply puts the request in force. A lane that is dropped meanwhile is created again.
func (r *registration) apply(ctx context.Context) (lane.State, error) {
	for {
		l, err := r.hub.laneFor(ctx, r.service, r.request, r.edit)
		if err != nil {
			return lane.State{}, err
		}
		r.lane = l
		state, err := l.Change(ctx, r.edit)
		if errors.Is(err, lane.ErrDropped) {
			if err := r.hub.awaitDrop(ctx, r.service); err != nil {
				return lane.State{}, err
			}
			l.Recheck()
			continue
		}
		if errors.Is(err, lane.ErrNoLane) && ctx.Err() == nil {
			if err := r.hub.lanes.ended(ctx, l); err != nil {
				return lane.State{}, err
			}
			continue
		}
		return state, err
	}
}

// laneFor returns the service's lane, created when it is not there. Only a
// registration creates a lane, and only one that its first state would take: a
// refused one leaves nothing behind.
func (h *Hub) laneFor(ctx context.Context, service subjects.Name, req request, try lane.Edit) (*lane.Lane, error) {
	if l := h.lanes.get(service); l != nil {
		return l, nil
	}
	_, err := lane.ReadTip(ctx, h.js, service)
	if errors.Is(err, lane.ErrNoLane) {
		if len(req.wants) == 0 {
			return nil, contract.Errorf(contract.CodeNotFound, "service %q is not registered; name the entities it wants", service)
		}
		if h.lanes.count() >= maxServices {
			return nil, contract.Errorf(contract.CodeLimit, "at most %d services", maxServices)
		}
		if err := h.lanes.mayCreate(ctx, service); err != nil {
			return nil, err
		}
		err = h.createLane(ctx, service, req, try)
	}
	if err != nil && !errors.Is(err, lane.ErrStateLost) && !errors.Is(err, lane.ErrNewer) {
		return nil, err
	}
	l := h.lanes.add(service)
	l.Own(h.ownerOf(service) == h.cfg.ID)
	return l, nil
}

func (h *Hub) createLane(ctx context.Context, service subjects.Name, req request, try lane.Edit) error {
	at, _, err := h.ingest.End(ctx)
	if err != nil {
		return err
	}
	queue, maxBytes, _ := h.recordedQueue(service)
	queue = mergeQueue(queue, req.queue)
	if req.maxBytes > 0 {
		maxBytes = req.maxBytes
	}
	first := lane.First(at, queue, maxBytes)
	if _, _, err := try(ctx, lane.Tip{State: first}); err != nil {
		return err
	}
	err = lane.Create(ctx, h.js, h.appender, service, h.replicas, first, h.cfg.ID)
	if foreign, ok := errors.AsType[*hubstream.ForeignError](err); ok {
		return contract.Errorf(contract.CodeConflict, "%v", foreign)
	}
	return err
}

// registration is one request on its way into a lane.
type registration struct {
	hub     *Hub
	service subjects.Name
	request request
	anchor  *anchor
	// lane is what the request is laid over; nil while the lane is created.
	lane *lane.Lane
}

// edit lays the request over a lane's state. New interests pin ingest first:
// what they are due from cannot be trimmed before the lane says so itself.
func (r *registration) edit(ctx context.Context, tip lane.Tip) (lane.State, bool, error) {
	if err := r.anchor.look(ctx); err != nil {
		return tip.State, false, err
	}
	s := tip.State.Clone()
	if s.Dropped {
		return s, false, lane.ErrDropped
	}
	changed := false
	if s.Detached != nil {
		if err := r.mayStartAnew(); err != nil {
			return s, false, err
		}
		for _, entity := range entitiesOf(s.Interests) {
			s = s.End(entity)
		}
		s.Detached = nil
		changed = true
	}
	queueChanged, err := r.editQueue(ctx, tip, &s)
	if err != nil {
		return s, false, err
	}
	changed = changed || queueChanged
	for _, w := range r.request.wants {
		next, touched, err := r.editInterest(ctx, s, w)
		if err != nil {
			return s, false, err
		}
		s, changed = next, changed || touched
	}
	if err := r.unresumed(tip.State); err != nil {
		return s, false, err
	}
	if len(s.Interests) > maxInterests {
		return s, false, contract.Errorf(contract.CodeLimit, "at most %d interests for one service", maxInterests)
	}
	if !changed {
		return s, false, nil
	}
	s, err = s.Bounded(tip.State, r.hub.nc.MaxPayload())
	return s, true, limited(err)
}

// unresumed refuses what was begun beside a position of before a rollback that was
// noticed since: the position does not compare with where the new interests begin. It is
// asked once they have begun, by the ledger as it was then.
func (r *registration) unresumed(s lane.State) error {
	ledger := r.hub.ingest.Ledger()
	if r.lane == nil || len(s.Interests) == 0 || s.Detached != nil || !ledger.Stale(s.Pos.Position) {
		return nil
	}
	r.lane.Recheck()
	return contract.Errorf(contract.CodeUnavailable, "ingest was created again or rolled back just now, and the lane has not resumed yet; send it again")
}

// mayStartAnew insists that whoever goes on from a detached lane says from
// where: events are missing, and a routine registration must not hide that.
func (r *registration) mayStartAnew() error {
	for _, w := range r.request.wants {
		if w.startGiven {
			continue
		}
		return contract.FieldErrorf(contract.CodeDetached, "interests",
			"the lane was detached and has missed events: register full interests that state a start (\"all\" to begin with what ingest holds, \"snapshot\" with the owner's rows, \"new\" to leave the gap)")
	}
	if len(r.request.wants) == 0 {
		return contract.Errorf(contract.CodeDetached, "the lane was detached and has missed events: register interests that state a start")
	}
	return nil
}

func (r *registration) editQueue(ctx context.Context, tip lane.Tip, s *lane.State) (bool, error) {
	queue := mergeQueue(s.Queue, r.request.queue)
	if asked := r.request.queue; asked != nil && asked.Partitions > 1 && queue.Order != lane.OrderKey {
		return false, contract.FieldErrorf(contract.CodeInvalidValue, "queue.partitions", "only a queue of order \"key\" has partitions")
	}
	maxBytes := s.MaxBytes
	if r.request.maxBytes > 0 {
		maxBytes = r.request.maxBytes
	}
	if queue == s.Queue && maxBytes == s.MaxBytes {
		return false, nil
	}
	if queue.Order != s.Queue.Order || queue.Partitions != s.Queue.Partitions {
		idle, err := r.lane.Idle(ctx, tip)
		if err != nil {
			return false, err
		}
		if !idle {
			return false, contract.FieldErrorf(contract.CodeBacklog, "queue",
				"order and partitions can change only while every copy is acknowledged; let the workers finish, or pause publishers")
		}
		// The state record itself takes the next sequence.
		s.QueueFrom, s.Rewound = tip.Last+2, nil
	}
	s.Queue, s.MaxBytes = queue, maxBytes
	return true, nil
}

func (r *registration) editInterest(ctx context.Context, s lane.State, w wanted) (lane.State, bool, error) {
	have := s.Find(w.def.Entity)
	switch {
	case have == nil:
		next, err := r.begin(ctx, s, w)
		return next, true, err
	case !w.full || have.SameDefinition(w.def):
		return s, false, nil
	default:
		// have points into s, which is this registration's own copy.
		have.Ops, have.Filter, have.Fields, have.Echo = w.def.Ops, w.def.Filter, w.def.Fields, w.def.Echo
		have.Rev++
		return s, true, nil
	}
}

// begin adds a new interest.
func (r *registration) begin(ctx context.Context, s lane.State, w wanted) (lane.State, error) {
	from, err := r.anchor.begin(ctx, w.start, w.field+".start")
	if err != nil {
		return s, err
	}
	r.hub.env.Failpoint("pinned")
	in := w.def
	in.ID = nuid.Next()
	in.Since = from.At
	in.Rev = 1
	in.Partial = from.Partial
	if w.start.snapshot {
		return s.AddSnapshot(in, from.Before, r.hub.now()), nil
	}
	return s.Add(in, from.Before), nil
}

// registered is the reply for a state that is in force: of the entities that the
// request names, of all if it names none.
func (h *Hub) registered(service subjects.Name, s lane.State, req request) contract.Registered {
	reply := contract.Registered{
		Service:   service.String(),
		Stream:    subjects.LaneStream(service),
		Consumers: lane.Consumers(s.Queue),
		Epoch:     h.ingest.Epoch(),
		Since:     make(map[string]uint64, len(req.wants)),
		Complete:  true,
		Seq:       s.Pos.Seq + 1,
	}
	for _, in := range s.Interests {
		if !req.speaksOf(in.Entity) {
			continue
		}
		reply.Since[in.Entity] = in.Since.Seq
		reply.Complete = reply.Complete && !in.Partial
	}
	return reply
}

// announce tells other hubs that a lane was made or changed.
func (h *Hub) announce(service subjects.Name) {
	if err := h.nc.Publish(changedSubject, []byte(service.String())); err != nil {
		h.log.Debug("announce a change", "err", err) // they look by themselves as well
	}
}

// ensureConsumers makes the consumers of the queue that is in force once they
// are made: a registration beside this one may have changed it meanwhile.
func (h *Hub) ensureConsumers(ctx context.Context, service subjects.Name, s lane.State) (lane.State, error) {
	for {
		if err := lane.EnsureConsumers(ctx, h.js, service, s, h.settled(service)); err != nil {
			return s, err
		}
		now, err := h.freshState(ctx, service)
		if err != nil || (now.Queue == s.Queue && now.QueueFrom == s.QueueFrom) {
			return s, err
		}
		s = now
	}
}
