package record

import (
	"fmt"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/subjects"
)

// Compile parses and checks a recorded interest.
func (in Interest) Compile() (*match.Interest, error) { return in.CompileBy(new(match.Compiler), "") }

// CompileFor makes the interest ready to judge events, or the rows of a snapshot where
// that is not nil.
func (in Interest) CompileFor(of *Snapshot) (*match.Interest, error) {
	only := ""
	if of != nil {
		in, only = in.ForRows(of), of.Filter
	}
	ready, err := in.CompileBy(new(match.Compiler), only)
	if err != nil {
		return nil, fmt.Errorf("compile the interest in %s: %w", in.Entity, err)
	}
	return ready, nil
}

// CompileBy compiles an interest with a second filter, which may be empty.
func (in Interest) CompileBy(c *match.Compiler, only string) (*match.Interest, error) {
	entity, err := subjects.ParseName(in.Entity)
	if err != nil {
		return nil, fmt.Errorf("entity: %w", err)
	}
	ops, err := parseOps(in.Ops)
	if err != nil {
		return nil, err
	}
	limit, err := in.Policy.Limit()
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return c.Compile(match.Definition{
		ID:     in.ID,
		Entity: entity,
		Ops:    subjects.NewOpSet(ops...),
		Filter: in.Filter,
		Only:   only,
		Fields: in.Fields,
		Since:  in.Since,
		Echo:   in.Echo,
		Limit:  limit,
	})
}

func parseOps(texts []string) ([]subjects.Op, error) {
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
