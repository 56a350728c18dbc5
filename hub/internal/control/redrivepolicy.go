package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/deadletter/redrive"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// allowed returns the copy as which a letter may come back, or why it may not: the
// letter holds a copy that was made before, and the policy of its entity may allow less
// since.
func (r *redriver) allowed(ctx context.Context, s lane.State, letter *deadletter.Letter) (copied match.Decision, why string, err error) {
	p, err := r.policyOf(ctx, s, letter.Entity)
	if refusal, ok := errors.AsType[*contract.Error](err); ok {
		return match.Decision{}, refusal.Message, nil
	}
	if p == nil || err != nil {
		return match.Decision{Data: letter.Data}, "", err
	}
	var whole *event.Event
	if p.Grant.Filter != "" {
		if whole, err = r.eventOf(ctx, letter); err != nil {
			return match.Decision{}, "", err
		}
	}
	d, judged, err := redrive.Allowed(p, redrive.Held{
		Service: r.service, Entity: letter.Entity, Op: letter.Op, Time: letter.Time, Header: letter.CopyHeader(), Data: letter.Data,
	}, whole)
	switch {
	case err != nil || d.Kind == match.Copy:
		return d, "", err
	case judged == nil:
		return match.Decision{}, "not allowed any more: the policy allows none of its fields", nil
	}
	return match.Decision{}, notAllowed(d, r.service, judged), nil
}

// policyOf is the policy of the service's interest, or that of the entity if the
// service has none.
func (r *redriver) policyOf(ctx context.Context, s lane.State, entity subjects.Name) (*lane.Policy, error) {
	if in := s.Find(entity.String()); in != nil {
		return in.Policy, nil
	}
	return r.cfg.Policies.Of(ctx, entity.String(), r.service.String())
}

// eventOf reads the event of a letter from ingest; nil if ingest does not hold it.
func (r *redriver) eventOf(ctx context.Context, letter *deadletter.Letter) (*event.Event, error) {
	pos, ok := positionOf(letter.Header)
	if !ok || letter.Header.Get(contract.HeaderRow) != "" {
		return nil, nil
	}
	e, err := r.cfg.Ingest.Event(ctx, pos.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil || e.Pos != pos || e.Subject.Entity() != letter.Entity {
		return nil, err
	}
	return e, nil
}

// notAllowed says why a letter stays.
func notAllowed(d match.Decision, service subjects.Name, e *event.Event) string {
	if d.Kind == match.Dead {
		return fmt.Sprintf("%s: %v", d.Why, d.Err)
	}
	return "not allowed any more: " + report.SkipReason(d, service, e)
}
