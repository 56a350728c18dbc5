package policy

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Set answers replhub.policy: it states or clears the policy of an entity, and returns
// once no copy is made any more that the policy does not allow. An empty request shows the
// policy, for who may not ask for all policies.
func (k *Enforcer) Set(ctx context.Context, entity subjects.Name, req contract.SetPolicy) (any, error) {
	switch {
	case req.Clear && req.Allow != nil:
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "clear", "a policy is either stated or cleared")
	case !req.Clear && req.Allow == nil:
		return k.show(ctx, entity.String())
	}
	allow, warnings, err := parse(req.Allow)
	if err != nil {
		return nil, err
	}
	now, err := k.cfg.Book.PolicyNow(ctx, entity.String())
	if err != nil {
		return nil, unstored(err)
	}
	if now.Newer {
		return nil, contract.Errorf(contract.CodeConflict, "the policy of %s was written by a newer replhub; upgrade this hub", entity)
	}
	reply := contract.PolicySet{Entity: entity.String(), Allow: allow, Cleared: req.Clear, Warnings: warnings}
	effects, rev, err := k.change(ctx, entity.String(), now, allow, req.Clear)
	if err != nil {
		return nil, err
	}
	reply.Rev, reply.Services = rev, effects
	return k.fit(reply), nil
}

// unstored refuses a request of which nothing was done.
func unstored(err error) error {
	return contract.Errorf(contract.CodeUnavailable, "nothing was changed: %v; send the request again", err)
}

// change stores a policy and puts it in force. The ledger is marked first: from then on
// no registration comes into force without the policy, and no failure opens what the
// policy closes.
func (k *Enforcer) change(ctx context.Context, entity string, now registry.FoundPolicy, allow map[string]contract.Grant, ends bool) ([]contract.PolicyEffect, uint64, error) {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return nil, 0, unstored(err)
	}
	have := known{record: now, read: true, inLanes: k.Revs()[entity], latest: k.latest()}
	have.mark = marks[entity]
	want := ingest.PolicyMark{Rev: k.nextRev(entity, have), Sum: sum(allow), Cleared: ends}
	switch {
	case ends:
		want.Sum = ""
	case have.standing() == valid && have.mark.Rev == now.Policy.Rev && have.mark.Sum == want.Sum:
		want.Rev = now.Policy.Rev // the same again
	}
	stored, under, err := k.cfg.Ingest.MarkPolicy(ctx, entity, want)
	if errors.Is(err, retention.ErrPolicies) {
		return nil, 0, contract.Errorf(contract.CodeLimit, "%v than it has: clear policies that are not needed, or raise the server's max_payload", err)
	}
	if err != nil {
		return nil, 0, unstored(err)
	}
	if !stored.Is(want) {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "another policy of %s was stated at the same time; look at it, and send this one again", entity)
	}
	k.cfg.Failpoint("policy marked")
	if err := k.store(ctx, entity, now, registry.NewPolicy(want.Rev, allow), ends); err != nil {
		return nil, 0, err
	}
	k.cfg.Failpoint("policy stored")
	left, over, err := under.Over(ctx, longest, patience)
	if err != nil {
		return nil, 0, err
	}
	if !over {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "the policy of %s is stored, and a registration is under way that may not know of it; send the request again to learn that it is in force", entity)
	}
	effects, err := k.putInForce(ctx, order{Entity: entity, Rev: want.Rev}, func(service string) *record.Policy {
		if ends {
			return unowned(k.cfg.Required, want.Rev)
		}
		return grant(registry.NewPolicy(want.Rev, allow), service)
	}, left)
	if err != nil {
		if later := k.superseded(ctx, entity, want.Rev, registry.FoundPolicy{}); later != nil {
			err = later
		}
		return nil, 0, err
	}
	if err := k.cfg.Ingest.PolicyInForce(ctx, entity, want.Rev); err != nil {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "the policy of %s is in force, and the ledger does not say so yet: %v; send the request again", entity, err)
	}
	k.cfg.Logger.Info("policy in force", "entity", entity, "rev", want.Rev, "cleared", ends, "services", len(effects))
	return effects, want.Rev, nil
}

// nextRev is a revision above all that are known. It is taken from the clock, so that
// it is above those that were forgotten with a ledger and a registry.
func (k *Enforcer) nextRev(entity string, have known) uint64 {
	now := uint64(max(k.cfg.Ingest.Now().UnixMicro(), 1))
	rev := max(now, have.mark.Rev+1, have.inLanes+1, k.inLanes(entity)+1)
	if have.invented() {
		return rev
	}
	return max(rev, have.record.Policy.Rev+1)
}

// latest bounds the revisions that a hub can have given by now.
func (k *Enforcer) latest() uint64 {
	return uint64(max(k.cfg.Ingest.Now().Add(clockRoom).UnixMicro(), 1))
}

// inLanes is the highest revision that an interest in an entity has, also of what is
// suspended because there is no policy.
func (k *Enforcer) inLanes(entity string) (highest uint64) {
	for _, l := range k.cfg.Lanes.All() {
		s := l.Status().State
		if in := s.Find(entity); in != nil && in.Policy != nil {
			highest = max(highest, in.Policy.Rev)
		}
	}
	return highest
}

// store writes the registry's record.
func (k *Enforcer) store(ctx context.Context, entity string, now registry.FoundPolicy, p registry.Policy, ends bool) error {
	var err error
	for range maxTries {
		// The record was read before the ledger. So a later policy is seen in one of them,
		// or this write does not fit behind it.
		if err := k.superseded(ctx, entity, p.Rev, now); err != nil {
			return err
		}
		if err = k.write(ctx, entity, now, p, ends); !errors.Is(err, tree.ErrConflict) {
			break
		}
		var again error
		if now, again = k.cfg.Book.PolicyNow(ctx, entity); again != nil {
			err = again
			break
		}
	}
	if err != nil {
		return contract.Errorf(contract.CodeUnavailable, "the policy of %s is marked in the ledger and not stored: until it is stored, new registrations for %s are refused, and the policy in force stays; send the request again: %v", entity, entity, err)
	}
	return nil
}

// write writes the registry's record over the one that was read.
func (k *Enforcer) write(ctx context.Context, entity string, now registry.FoundPolicy, p registry.Policy, ends bool) error {
	value := registry.Encode(p)
	switch {
	case ends && !now.Is:
		return nil
	case ends:
		value = nil
	case now.Is && now.Problem == "" && now.Policy.Rev == p.Rev:
		return nil
	}
	return k.cfg.Book.Overwrite(ctx, registry.PolicyPath(entity), value, now.Version)
}

// superseded refuses a policy, or its end, if the ledger or the registry has a later one:
// that one holds, whoever wrote first.
func (k *Enforcer) superseded(ctx context.Context, entity string, rev uint64, now registry.FoundPolicy) error {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return contract.Errorf(contract.CodeUnavailable, "the ledger does not say whether another policy of %s was stated meanwhile: %v; send the request again", entity, err)
	}
	if marks[entity].Rev > rev || now.Is && now.Problem == "" && now.Policy.Rev > rev && now.Policy.Rev <= k.latest() {
		return contract.Errorf(contract.CodeUnavailable, "another policy of %s was stated meanwhile, and is in force; look at it, and send this one again", entity)
	}
	return nil
}
