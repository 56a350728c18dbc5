package control

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// maxDigests bounds the digests that are made at once; one more waits.
const maxDigests = 4

// DigestPatience is how long another hub waits for the owner of the lane.
const DigestPatience = 8 * time.Second

// Digest makes a digest of an owner's rows for a service that is registered for the
// entity. The rows are as the service gets them: its filter, its fields and the owner's
// policy hold, so that a digest tells a service nothing that its lane would not.
func (v *Verbs) Digest(ctx context.Context, service subjects.Name, req contract.Digest) (any, error) {
	entity, err := request.Name(req.Entity, "entity")
	if err != nil {
		return nil, err
	}
	if l := v.cfg.Lanes.Get(service); l != nil && l.Held() != "" {
		// The policy in its record may be an old one.
		return nil, contract.Errorf(contract.CodeUnavailable, "the lane of %s is held: %s", service, l.Held())
	}
	state, err := v.cfg.Lanes.CheapState(ctx, service)
	if err != nil {
		return nil, err
	}
	in := state.Find(entity.String())
	switch {
	case state.Dropped:
		return nil, lane.ErrNoLane
	case state.Detached != nil:
		return nil, contract.Errorf(contract.CodeDetached, "the lane is detached: %s", state.Detached.Reason)
	case in == nil:
		return nil, contract.FieldErrorf(contract.CodeNotFound, "entity", "%s is not registered for %s", service, entity)
	}
	if err := policy.JudgeRows(*in, ""); err != nil {
		return nil, err
	}
	select {
	case v.digests <- struct{}{}:
		defer func() { <-v.digests }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	of := lane.DigestOf{Conn: v.cfg.Conn, Ingest: v.cfg.Ingest, Service: service, Interest: *in, Places: v.places}
	made, err := of.Digest(ctx, req.After, req.DigestQuery)
	if err != nil && lane.IsOwnerTrouble(err) && ctx.Err() == nil {
		return nil, contract.FieldErrorf(contract.CodeUnavailable, "entity", "%v", err)
	}
	return made, err
}
