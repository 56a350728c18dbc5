package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Explain answers replhub.explain.
func (r *Reporter) Explain(ctx context.Context, service subjects.Name, req contract.Explain) (any, error) {
	if req.Seq == 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "seq", "say which event, as in {\"seq\":42}")
	}
	state, err := r.cfg.Lanes.State(ctx, service)
	if err != nil {
		return nil, err
	}
	if l := r.cfg.Lanes.Get(service); l != nil && l.Owned() && state.Pos.Before(l.Status().State.Pos.Position) {
		state.Pos = l.Status().State.Pos
	}
	pos := event.Position{Epoch: req.Epoch, Seq: req.Seq}
	e, err := r.cfg.Ingest.Event(ctx, req.Seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, err
	}
	if pos.Epoch == 0 {
		pos.Epoch = r.cfg.Ingest.EpochOf(req.Seq)
	}
	if !r.cfg.Ingest.Was(pos) {
		return nil, contract.FieldErrorf(contract.CodeNotFound, "epoch", "there never was an event %d in epoch %d; ingest is in epoch %d", pos.Seq, pos.Epoch, r.cfg.Ingest.Epoch())
	}
	reply := contract.Explained{Service: service.String(), Seq: pos.Seq, Epoch: pos.Epoch}
	if e == nil || e.Pos != pos {
		return r.explainMissing(ctx, reply)
	}
	reply.Entity, reply.Op, reply.Key = e.Subject.Entity().String(), e.Subject.Op().String(), e.Key
	if reply, err = explain(reply, service, state, e); err != nil {
		return nil, err
	}
	return r.explainFate(ctx, reply, service, state, e)
}

func (r *Reporter) explainMissing(ctx context.Context, reply contract.Explained) (any, error) {
	b, err := r.cfg.Ingest.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if reply.Seq > b.Last {
		return nil, contract.FieldErrorf(contract.CodeNotFound, "seq", "ingest ends at %d", b.Last)
	}
	reply.Verdict = contract.VerdictGone
	if r.cfg.Ingest.ErasedAt(event.Position{Epoch: reply.Epoch, Seq: reply.Seq}) {
		reply.Reason = "it was erased"
		return reply, nil
	}
	reply.Reason = fmt.Sprintf("ingest holds events from %d on only, so what was decided then cannot be told any more", b.First)
	return reply, nil
}

// explain judges an event by the interests that are in force now. Definitions
// may have changed since it was copied, and the answer says so where it matters.
func explain(reply contract.Explained, service subjects.Name, s lane.State, e *event.Event) (contract.Explained, error) {
	if s.Detached != nil {
		reply.Verdict, reply.Reason = contract.VerdictDetached, "the lane is detached: "+s.Detached.Reason
		return reply, nil
	}
	d, err := lane.ExpandAnew(s, service, e)
	if err != nil {
		return reply, err
	}
	reply.Subject = d.Subject
	passed := reached(s, e)
	switch d.Kind {
	case match.Copy:
		reply.Verdict, reply.Reason = contract.VerdictCopied, "it matches and was copied into the lane"
		if !passed {
			reply.Verdict, reply.Reason = contract.VerdictPending, fmt.Sprintf("it matches; the lane stands at %s and has not reached it yet", s.Pos.Position)
		}
	case match.Dead:
		reply.Verdict = contract.VerdictDeadLettered
		reply.Reason = fmt.Sprintf("%s: %v", d.Why, d.Err)
	case match.Skip:
		reply.Verdict, reply.Reason = d.Why, SkipReason(d, service, e)
		if d.Why == contract.VerdictNotAllowed {
			reply.Reason = notAllowed(s, service, e)
		}
	}
	return reply, nil
}

// notAllowed says why the policy that is in force now does not allow an event. The event
// may have been copied before.
func notAllowed(s lane.State, service subjects.Name, e *event.Event) string {
	entity := e.Subject.Entity().String()
	if in := s.Find(entity); in != nil {
		if state, reason := in.Effect(); state == contract.PolicySuspended {
			return fmt.Sprintf("%s gets nothing of %s now: %s", service, entity, reason)
		}
	}
	return fmt.Sprintf("the policy of %s that is in force now does not allow it: replhub describe %s shows the policy", entity, service)
}

// reached reports whether the lane has processed an event.
func reached(s lane.State, e *event.Event) bool {
	at := s.Pos.Position
	if in := s.Find(e.Subject.Entity().String()); in != nil {
		for _, f := range s.Fills {
			if f.Snapshot != nil {
				continue // beside the live events
			}
			for _, id := range f.IDs {
				if id == in.ID {
					at = f.At.Position
				}
			}
		}
	}
	return !at.Before(e.Pos)
}

// SkipReason describes why a service does not get an event.
func SkipReason(d match.Decision, service subjects.Name, e *event.Event) string {
	entity, op := e.Subject.Entity(), e.Subject.Op()
	switch d.Why {
	case contract.VerdictNoInterest:
		return fmt.Sprintf("%s has no interest in %s", service, entity)
	case contract.VerdictBefore:
		return fmt.Sprintf("the interest in %s is due from event %s on", entity, d.Interest.Definition().Since)
	case contract.VerdictOp:
		return fmt.Sprintf("the interest in %s wants %v, not %s", entity, d.Interest.Definition().Ops.Ops(), op)
	case contract.VerdictNotAllowed:
		return fmt.Sprintf("the policy of %s does not allow it: replhub describe %s shows the policy", entity, service)
	case contract.VerdictFiltered:
		return fmt.Sprintf("the filter %s says no", d.Interest.Definition().Filter)
	case contract.VerdictOwn:
		return fmt.Sprintf("%s published it itself and the interest has no echo", service)
	}
	return d.Why
}
