package policy

import (
	"context"
	"slices"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// List answers replhub.policies.
func (k *Enforcer) List(ctx context.Context, _ subjects.Name, req contract.ListPolicies) (any, error) {
	p, err := reply.ParsePaging(req.After, req.Limit, contract.DefaultPage, reply.Room(k.cfg.Conn.MaxPayload()))
	if err != nil {
		return nil, err
	}
	if req.Entity != "" {
		if _, err := request.Name(req.Entity, "entity"); err != nil {
			return nil, err
		}
	}
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return nil, err
	}
	out := contract.Policies{Required: k.cfg.Required, Policies: []contract.PolicyStatus{}}
	entities := slices.DeleteFunc(k.entities(marks), func(entity string) bool {
		return entity <= p.After || req.Entity != "" && entity != req.Entity
	})
	used, revs := 0, k.Revs()
	for _, entity := range entities {
		mark := marks[entity]
		one, ok := status(entity, k.known(ctx, entity, mark, revs))
		if !ok {
			continue
		}
		used += reply.Size(one) + 1
		if len(out.Policies) > 0 && (used > p.Room || len(out.Policies) == p.Limit) {
			out.Next = out.Policies[len(out.Policies)-1].Entity
			break
		}
		out.Policies = append(out.Policies, one)
	}
	return out, nil
}

// show describes the policy of one entity.
func (k *Enforcer) show(ctx context.Context, entity string) (contract.PolicyStatus, error) {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return contract.PolicyStatus{}, err
	}
	mark := marks[entity]
	one, ok := status(entity, k.known(ctx, entity, mark, k.Revs()))
	if !ok {
		return one, contract.Errorf(contract.CodeNotFound, "%s has no policy; state one as in {\"allow\":{\"sharing\":{\"fields\":[\"id\"]}}}", entity)
	}
	return one, nil
}

// status describes one policy; ok is false where there is none.
func status(entity string, one known) (contract.PolicyStatus, bool) {
	out := contract.PolicyStatus{Entity: entity, Rev: one.rev(), Allow: one.record.Policy.Allow, Problem: one.problem(entity)}
	switch one.standing() {
	case none, cleared:
		return out, false
	case missing, faulty:
		out.Allow = nil
	case valid, byHand:
	}
	return out, true
}
