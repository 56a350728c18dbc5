package registration

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// registration is one request on its way into a lane.
type registration struct {
	cfg       *Config
	registrar *Registrar
	service   subjects.Name
	request   request.Request
	anchor    *anchor
	// lane is what the request is laid over; nil while the lane is created.
	lane *lane.Lane
	// behind says that all events of ingest are behind the lane's position, which no
	// event proves any more.
	behind bool
	// revs are the revisions of policies in lanes, read once for each edit.
	revs policy.Revs
}

// edit lays the request over a lane's state. New interests pin ingest first, so that
// their events cannot be trimmed before the lane's own state protects them.
func (r *registration) edit(ctx context.Context, tip lane.Tip) (lane.State, bool, error) {
	var err error
	if tip.State.Pos, err = r.resume(ctx, tip.State); err != nil {
		return tip.State, false, err
	}
	if err := r.anchor.look(ctx); err != nil {
		return tip.State, false, err
	}
	r.revs = nil
	s := tip.State.Clone()
	if s.Dropped {
		return s, false, lane.ErrDropped
	}
	changed := false
	if s.Detached != nil {
		if err := r.mayStartOver(); err != nil {
			return s, false, err
		}
		for _, entity := range request.Entities(s.Interests) {
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
	for _, w := range r.request.Wants {
		next, touched, err := r.editInterest(ctx, s, w)
		if err != nil {
			return s, false, err
		}
		s, changed = next, changed || touched
	}
	if err := r.unresumed(ctx, tip.State, s); err != nil {
		return s, false, err
	}
	if len(s.Interests) > request.MaxInterests {
		return s, false, contract.Errorf(contract.CodeLimit, "at most %d interests for one service", request.MaxInterests)
	}
	if !changed {
		return s, false, nil
	}
	s, err = s.Bounded(tip.State, r.cfg.Conn.MaxPayload())
	return s, true, reply.Limited(err)
}

// resume moves the position of a lane that does not read from ingest, and so has not
// noticed whether ingest was created again or rolled back. Otherwise new interests would
// get new events at positions at which the service has applied others. It is called
// before the interests begin. Where the event at the position is gone by a trim, the
// events that ingest holds are behind the position.
func (r *registration) resume(ctx context.Context, s lane.State) (ingest.Mark, error) {
	r.behind = false
	if r.lane == nil || len(r.request.Wants) == 0 || s.Dropped || len(s.Interests) > 0 && s.Detached == nil {
		return s.Pos, nil
	}
	pos, err := r.cfg.Ingest.Resume(ctx, s.Pos)
	if r.behind = errors.Is(err, ingest.ErrTrimmed); r.behind {
		return s.Pos, nil
	}
	return pos, err
}

// unresumed refuses new interests beside a position from before a rollback, because that
// position cannot be compared with the new interests' starts. It is called after the
// interests have begun. An edit without a new interest passes.
func (r *registration) unresumed(ctx context.Context, s, next lane.State) error {
	begins := func(in lane.Interest) bool {
		have := s.Find(in.Entity)
		return have == nil || have.ID != in.ID
	}
	if r.lane == nil || r.behind || !slices.ContainsFunc(next.Interests, begins) {
		return nil
	}
	if compares, err := r.cfg.Ingest.Compares(ctx, s.Pos); err != nil || compares {
		return err
	}
	r.lane.Recheck()
	return contract.Errorf(contract.CodeUnavailable, "ingest was created again or rolled back just now, and the lane has not resumed yet; send it again")
}

// mayStartOver requires a stated start from a service whose lane is detached: events
// are missing, and a routine registration must not hide that.
func (r *registration) mayStartOver() error {
	for _, w := range r.request.Wants {
		if w.StartGiven {
			continue
		}
		return contract.FieldErrorf(contract.CodeDetached, "interests",
			"the lane was detached and has missed events: register full interests that state a start (\"all\" to begin with what ingest holds, \"snapshot\" with the owner's rows, \"new\" to leave the gap)")
	}
	if len(r.request.Wants) == 0 {
		return contract.Errorf(contract.CodeDetached, "the lane was detached and has missed events: register interests that state a start")
	}
	return nil
}

func (r *registration) editQueue(ctx context.Context, tip lane.Tip, s *lane.State) (bool, error) {
	queue := request.MergeQueue(s.Queue, r.request.Queue)
	if asked := r.request.Queue; asked != nil && asked.Partitions > 1 && queue.Order != lane.OrderKey {
		return false, contract.FieldErrorf(contract.CodeInvalidValue, "queue.partitions", "only a queue of order \"key\" has partitions")
	}
	maxBytes := s.MaxBytes
	if r.request.MaxBytes > 0 {
		maxBytes = r.request.MaxBytes
	}
	if maxBytes > s.MaxBytes && r.lane != nil {
		if err := lane.Fit(ctx, r.cfg.JS, r.service, maxBytes); err != nil {
			return false, err
		}
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

func (r *registration) editInterest(ctx context.Context, s lane.State, w request.Wanted) (lane.State, bool, error) {
	have := s.Find(w.Def.Entity)
	switch {
	case have == nil:
		next, err := r.begin(ctx, s, w)
		return next, true, err
	case !w.Full || have.Equal(w.Def.Definition):
		return s, false, nil
	default:
		if err := policy.Judge(have.Policy, w, false); err != nil {
			return s, false, err
		}
		// have points into s, which is this registration's own copy.
		have.Definition = w.Def.Definition
		have.Rev++
		return s, true, nil
	}
}

// ErrEnded means that the lane has ended an interest of the id that a request states.
var ErrEnded = contract.Errorf(contract.CodeConflict, "an interest of this id was ended; register without an id")

// begin adds a new interest.
func (r *registration) begin(ctx context.Context, s lane.State, w request.Wanted) (lane.State, error) {
	if s.HasEnded(w.ID) {
		return s, ErrEnded
	}
	from, err := r.anchor.begin(ctx, w.Start, w.Field+".start")
	if err != nil {
		return s, err
	}
	r.cfg.Failpoint("pinned")
	in := w.Def
	if in.ID = w.ID; in.ID == "" {
		in.ID = nuid.Next()
	}
	in.Since = from.At
	in.Rev = 1
	in.Partial = from.Partial
	if in.Policy, err = r.policyOf(ctx, w); err != nil {
		return s, err
	}
	r.cfg.Failpoint("judged")
	if w.Start.Snapshot {
		return s.AddSnapshot(in, from.Before, r.cfg.Ingest.Now()), nil
	}
	return s.Add(in, from.Before), nil
}

// policyOf returns the policy of a new interest, and refuses what it does not allow. The
// interest is pinned by now: a policy that is stated later waits for the registration.
func (r *registration) policyOf(ctx context.Context, w request.Wanted) (*lane.Policy, error) {
	entity := w.Def.Entity
	mark := r.anchor.held.Policy(entity)
	if r.revs == nil {
		r.revs = r.cfg.Policies.Revs()
	}
	p, err := r.cfg.Policies.ForNew(ctx, entity, r.service.String(), mark, r.revs)
	if err != nil {
		return nil, err
	}
	return p, policy.Judge(p, w, true)
}
