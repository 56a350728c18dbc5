package ingest

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/subjects"
)

// MarkPolicy marks an entity's policy in the ledger, and returns the mark that holds:
// m, or one of the same or a later revision. The registrations that were under way
// then, and may not know of the mark, are in Registrations. The marks of all policies take
// a quarter of max_payload at most, beside the erased events: it fails with
// retention.ErrPolicies beyond that.
func (g *Ingest) MarkPolicy(ctx context.Context, entity string, m PolicyMark) (now PolicyMark, r *Registrations, err error) {
	err = g.perform(ctx, retention.MarkPolicy(entity, m, int(g.cfg.JS.Conn().MaxPayload()/4), func(mark retention.PolicyMark, l retention.Ledger) retention.Step {
		now, r = mark, &Registrations{g: g, ledger: l}
		return retention.Done{}
	}), nil)
	return now, r, err
}

// PolicyInForce notes that a revision of a policy is in force in every lane.
func (g *Ingest) PolicyInForce(ctx context.Context, entity string, rev uint64) error {
	return g.perform(ctx, retention.PolicyInForce(entity, rev, func() retention.Step { return retention.Done{} }), nil)
}

// Known is the newest ledger that this hub has read or written, nil before the first.
// It must not be changed.
func (g *Ingest) Known() *retention.Ledger { return g.ledger.Load() }

// ForgetPolicy removes the mark of a cleared policy; see retention.ForgetPolicy.
func (g *Ingest) ForgetPolicy(ctx context.Context, entity string, rev uint64) error {
	return g.perform(ctx, retention.ForgetPolicy(entity, rev, func() retention.Step { return retention.Done{} }), nil)
}

// PolicyMarks are the marks of all policies, read from the ledger now.
func (g *Ingest) PolicyMarks(ctx context.Context) (map[string]PolicyMark, error) {
	l, revision, err := g.readLedger(ctx)
	if err == nil && revision == 0 {
		l = *g.ledger.Load()
	}
	return l.Policies, err
}

// Registrations are registrations that were under way at some time.
type Registrations struct {
	g      *Ingest
	ledger retention.Ledger
}

// Over waits until the registrations have ended, and returns the services of those
// whose hub has given up without an end: a message of theirs may still be on its way.
// A registration takes at most longest. over is false if the wait, which patience
// bounds, was in vain.
func (r *Registrations) Over(ctx context.Context, longest, patience time.Duration) (left []subjects.Name, over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		working, left := r.ledger.UnderWay(r.g.Now(), longest)
		if len(working) == 0 {
			return left, true, nil
		}
		now, _, err := r.g.readLedger(ctx)
		if err == nil && !now.StillPinned(working) {
			return left, true, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, nil
		case <-ticker.C:
		}
	}
}

// lookEvery is the time between two looks whether registrations are still under way.
const lookEvery = 20 * time.Millisecond
