package hub

import (
	"fmt"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

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
		reply.Verdict, reply.Reason = d.Why, skipReason(d, service, e)
	}
	return reply, nil
}

// reached reports whether the lane has dealt with an event.
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

func skipReason(d match.Decision, service subjects.Name, e *event.Event) string {
	entity, op := e.Subject.Entity(), e.Subject.Op()
	switch d.Why {
	case contract.VerdictNoInterest:
		return fmt.Sprintf("%s has no interest in %s", service, entity)
	case contract.VerdictBefore:
		return fmt.Sprintf("the interest in %s is due from event %s on", entity, d.Interest.Definition().Since)
	case contract.VerdictOp:
		return fmt.Sprintf("the interest in %s wants %v, not %s", entity, d.Interest.Definition().Ops.Ops(), op)
	case contract.VerdictFiltered:
		return fmt.Sprintf("the filter %s says no", d.Interest.Definition().Filter)
	case contract.VerdictOwn:
		return fmt.Sprintf("%s published it itself and the interest has no echo", service)
	}
	return d.Why
}
