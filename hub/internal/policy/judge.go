package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Judge refuses an interest, new or with a new definition, that asks by name for what
// its policy does not allow: an operation, a field, or a member that its filter names.
// What it does not name is narrowed. fresh says that the interest is new.
func Judge(p *record.Policy, w request.Wanted, fresh bool) error {
	if p == nil {
		return nil
	}
	refuse := func(field, format string, args ...any) error {
		return contract.FieldErrorf(contract.CodeNotAllowed, field, format, args...)
	}
	whole := w.Field
	if w.Full {
		whole += ".entity"
	}
	if p.Suspended != "" {
		return refuse(whole, "%s is not allowed: %s", w.Entity, p.Suspended)
	}
	limit, err := p.Limit()
	if err != nil {
		return err
	}
	asked, err := parsed(w.Def.Ops)
	if err != nil {
		return err
	}
	named := asked
	if !w.OpsGiven {
		named = nil
	}
	if field, text := match.Outside(match.Definition{Filter: w.Def.Filter, Fields: w.Def.Fields}, named, *limit); field != "" {
		return refuse(w.Field+"."+field, "%q of %s is not allowed; the policy allows %s", request.Clip(text), w.Entity, Words(p.Grant))
	}
	if !slices.ContainsFunc(asked, limit.Ops.Has) {
		return refuse(whole, "of %s the policy allows %v only", w.Entity, limit.Ops.Ops())
	}
	if fresh && w.Start.Snapshot && !limit.Ops.Has(subjects.Create) {
		return refuse(w.Field+".start", "the rows of a snapshot are creates, and the policy of %s does not allow %s", w.Entity, subjects.Create)
	}
	return nil
}

// JudgeRows refuses the rows of a backfill, with a filter of its own, that a policy does
// not allow.
func JudgeRows(in record.Interest, filter string) error {
	if in.Policy == nil {
		return nil
	}
	if state, reason := in.Effect(); state == contract.PolicySuspended {
		return contract.FieldErrorf(contract.CodeNotAllowed, "entity", "%s is not allowed: %s", in.Entity, reason)
	}
	limit, err := in.Policy.Limit()
	if err != nil {
		return err
	}
	if !limit.Ops.Has(subjects.Create) {
		return contract.FieldErrorf(contract.CodeNotAllowed, "entity", "rows are creates, and the policy of %s does not allow %s", in.Entity, subjects.Create)
	}
	if field, text := match.Outside(match.Definition{Only: filter}, nil, *limit); field != "" {
		return contract.FieldErrorf(contract.CodeNotAllowed, field, "%q of %s is not allowed; the policy allows %s", request.Clip(text), in.Entity, Words(in.Policy.Grant))
	}
	return nil
}

// Warning says what a policy leaves out of an interest that is in force; empty where it
// leaves out nothing.
func Warning(in record.Interest) string {
	switch state, reason := in.Effect(); state {
	case contract.PolicySuspended:
		return fmt.Sprintf("the policy of %s gives nothing: %s", in.Entity, reason)
	case contract.PolicyNarrowed:
		return fmt.Sprintf("the policy of %s narrows the interest: it allows %s", in.Entity, Words(in.Policy.Grant))
	}
	return ""
}

// maxWords bounds the fields that a text names.
const maxWords = 20

// Words describes a grant.
func Words(g contract.Grant) string {
	parts := []string{"all fields"}
	if n := len(g.Fields); n > 0 {
		parts[0] = "the fields " + strings.Join(g.Fields[:min(n, maxWords)], ", ")
		if n > maxWords {
			parts[0] += fmt.Sprintf(" and %d more", n-maxWords)
		}
	}
	if len(g.Ops) > 0 {
		parts = append(parts, "the operations "+strings.Join(g.Ops, ", "))
	}
	if g.Filter != "" {
		parts = append(parts, "events that pass "+request.Clip(g.Filter))
	}
	return strings.Join(parts, "; ")
}

func parsed(texts []string) ([]subjects.Op, error) {
	ops := make([]subjects.Op, 0, len(texts))
	for _, text := range texts {
		op, err := subjects.ParseOp(text)
		if err != nil {
			return nil, fmt.Errorf("ops: %w", err)
		}
		ops = append(ops, op)
	}
	return ops, nil
}
