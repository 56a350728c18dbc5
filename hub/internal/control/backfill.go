package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Backfill copies an owner's rows again into the lane of a service that is registered
// for the entity. It answers when the backfill is in force in the lane; from then on
// the backfill survives the end of this hub.
func (v *Verbs) Backfill(ctx context.Context, service subjects.Name, req contract.Backfill) (any, error) {
	b, err := parseBackfill(req)
	if err != nil {
		return nil, err
	}
	l, err := v.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	if err := v.mayBackfill(ctx, l, &b); err != nil {
		return nil, err
	}
	end, _, err := v.cfg.Ingest.End(ctx)
	if err != nil {
		return nil, err
	}
	b.ID, b.At, b.Began = nuid.Next(), end.Position, v.cfg.Ingest.Now()
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		next, changed, err := b.lay(service, tip.State)
		if err != nil || !changed {
			return next, false, err
		}
		next, err = next.Bounded(tip.State, v.cfg.Conn.MaxPayload())
		return next, true, err
	})
	if err != nil {
		return nil, err
	}
	v.cfg.Lanes.Announce(service)
	return b.reply(service, state)
}

// mayBackfill refuses a backfill that cannot succeed before the lane is changed: the
// lane would not take the rows, or the owner serves none. It asks the owner unless
// the backfill is already under way.
func (v *Verbs) mayBackfill(ctx context.Context, l *lane.Lane, b *backfill) error {
	service := l.Service()
	if reason := l.Parked(); reason != "" {
		return contract.Errorf(contract.CodeConflict, "the lane of %s is incompatible: %s", service, reason)
	}
	state, err := v.cfg.Lanes.State(ctx, service)
	if err != nil {
		return err
	}
	_, begins, err := b.lay(service, state)
	if err != nil || !begins {
		return err
	}
	workers, err := lane.Workers(ctx, v.cfg.JS, service)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(workers) {
		if w := workers[name]; w.Paused {
			return contract.Errorf(contract.CodePaused, "the workers of %s are paused (%s), and the rows would only fill its lane: send resume first (replhub resume %s)",
				service, name, service)
		}
	}
	if err := lane.AskOwner(ctx, v.cfg.Conn, service, b.entity); err != nil {
		return contract.FieldErrorf(contract.CodeUnavailable, "entity", "nothing was begun: %v", err)
	}
	return nil
}

// backfill is a checked request.
type backfill struct {
	lane.Backfill

	entity subjects.Name
	// unguarded are what the filter reads and a row may lack.
	unguarded []match.Read
}

// parseBackfill checks a request. Every error is a *contract.Error.
func parseBackfill(req contract.Backfill) (backfill, error) {
	if req.Entity == "" {
		return backfill{}, contract.FieldErrorf(contract.CodeInvalidValue, "entity", "state the entity, as in {\"entity\":\"user\"}")
	}
	entity, err := request.Name(req.Entity, "entity")
	if err != nil {
		return backfill{}, err
	}
	b := backfill{entity: entity, Backfill: lane.Backfill{Filter: req.Filter}}
	if b.Keys, err = parseKeys(req); err != nil {
		return backfill{}, err
	}
	if req.Filter != "" {
		if b.unguarded, err = match.CheckFilter(req.Filter); err != nil {
			return backfill{}, err
		}
	}
	return b, nil
}

// lay lays the backfill over a lane's state. changed is false where it is under
// way already.
//
// Another backfill of the same entity is refused rather than queued: a caller should
// not wait for the rows of an unknown other request, and one fill of rows per
// interest bounds the state record. A backfill that began before the interest's
// definition changed is begun again, because its first rows have the old fields.
func (b backfill) lay(service subjects.Name, s lane.State) (next lane.State, changed bool, err error) {
	switch {
	case s.Dropped:
		return s, false, lane.ErrNoLane
	case s.Detached != nil:
		return s, false, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register again with the start \"snapshot\", which brings the rows", s.Detached.Reason)
	}
	in := s.Find(b.entity.String())
	if in == nil {
		return s, false, contract.FieldErrorf(contract.CodeNotFound, "entity", "%s is not registered for %s: register it with the start \"snapshot\", which brings the rows", service, b.entity)
	}
	if err := policy.JudgeRows(*in, b.Filter); err != nil {
		return s, false, err
	}
	have := s.Rows(in.ID)
	switch {
	case have == nil:
	case have.Filter != b.Filter || !slices.Equal(have.Keys, b.Keys):
		return s, false, contract.FieldErrorf(contract.CodeBusy, "filter", "%s of %s are on their way (%d so far): ask again when they are all there; unregistering %s ends them",
			whichRows(have), b.entity, have.Row, b.entity)
	case !have.Outdated(*in):
		return s, false, nil
	}
	return s.Backfill(*in, b.Backfill), true, nil
}

func whichRows(s *lane.Snapshot) string {
	switch {
	case len(s.Keys) > 0:
		return fmt.Sprintf("the rows of %d keys", len(s.Keys))
	case s.Filter == "":
		return "all rows"
	}
	return fmt.Sprintf("the rows that %q matches", request.Clip(s.Filter))
}

// parseKeys returns the keys of a request, sorted, each once.
func parseKeys(req contract.Backfill) ([]string, error) {
	if len(req.Keys) == 0 {
		return nil, nil
	}
	bytes := 0
	for n, key := range req.Keys {
		if bytes += len(key); !contract.ValidKey(key) {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("keys[%d]", n), "%s is no key", contract.Quote(key))
		}
	}
	switch {
	case req.Filter != "":
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "keys", "keys and filter exclude each other: give one")
	case len(req.Keys) > contract.MaxBackfillKeys || bytes > contract.MaxBackfillBytes:
		return nil, contract.FieldErrorf(contract.CodeLimit, "keys", "%d keys of %d bytes: at most %d of %d bytes are taken at once", len(req.Keys), bytes, contract.MaxBackfillKeys, contract.MaxBackfillBytes)
	}
	keys := slices.Clone(req.Keys)
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// reply describes the fill that is in force for the request.
func (b backfill) reply(service subjects.Name, s lane.State) (any, error) {
	in := s.Find(b.entity.String())
	if in == nil || s.Rows(in.ID) == nil {
		return nil, contract.Errorf(contract.CodeUnavailable, "the backfill of %s was ended while it began; send the request again", b.entity)
	}
	rows := s.Rows(in.ID)
	reply := contract.Backfilling{
		Service: service.String(), Entity: b.entity.String(), Filter: rows.Filter,
		ID: rows.ID, Epoch: rows.Asked.Epoch, Seq: rows.Asked.Seq, Began: rows.Began,
		UnderWay: rows.ID != b.ID, Rows: rows.Row, Warnings: []string{},
	}
	if reply.ID == "" { // the snapshot with which the interest began
		reply.ID, reply.Epoch, reply.Seq = in.ID, in.Since.Epoch, in.Since.Seq-1
	}
	if len(b.unguarded) > 0 {
		reply.Warnings = append(reply.Warnings, request.UnguardedWarning(b.entity.String(), b.unguarded))
	}
	return reply, nil
}
