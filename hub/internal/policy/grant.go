// Package policy keeps the owners' policies: which service may have which entity,
// operations and fields. A policy lies in the registry; the ledger has its revision;
// each lane's state record has what it allows the lane's service. The state record
// decides what is copied.
//
// What is in force is narrowed or widened by a policy that was read and is newer, and
// by nothing else: not by a record that vanished, an older copy, or a registry that is
// away.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// maxBytes bounds a policy's JSON: the registries take records of up to 256 KiB.
const maxBytes = 250 << 10

// parse checks a policy, and returns it in its normal form with warnings. Every error
// is a *contract.Error.
func parse(allow map[string]contract.Grant) (normal map[string]contract.Grant, warnings []string, err error) {
	normal, warnings = make(map[string]contract.Grant, len(allow)), []string{}
	for _, service := range slices.Sorted(maps.Keys(allow)) {
		field := "allow." + service
		if service != contract.AnyService {
			if _, err := request.Name(service, field); err != nil {
				return nil, nil, err
			}
		}
		g, warns, err := parseGrant(service, allow[service])
		if refusal, ok := errors.AsType[*contract.Error](err); ok {
			return nil, nil, contract.FieldErrorf(refusal.Code, field+"."+refusal.Field, "%s", refusal.Message)
		}
		if err != nil {
			return nil, nil, contract.FieldErrorf(contract.CodeInvalidValue, field, "%v", err)
		}
		normal[service] = g
		warnings = append(warnings, warns...)
	}
	if text, err := json.Marshal(normal); err != nil || len(text) > maxBytes {
		return nil, nil, contract.FieldErrorf(contract.CodeLimit, "allow", "the policy has %d bytes; at most %d are allowed", len(text), maxBytes)
	}
	return normal, warnings[:min(len(warnings), maxWarnings)], nil
}

// maxWarnings bounds the warnings of a reply.
const maxWarnings = 20

func parseGrant(service string, g contract.Grant) (normal contract.Grant, warnings []string, err error) {
	if slices.Contains(g.Fields, contract.AllFields) {
		if len(g.Fields) > 1 {
			return g, nil, contract.FieldErrorf(contract.CodeInvalidValue, "fields", "%q stands alone", contract.AllFields)
		}
		g.Fields = nil
	}
	var ops []subjects.Op
	for i, text := range g.Ops {
		op, err := subjects.ParseOp(text)
		if err != nil {
			return g, nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("ops[%d]", i), "%v", err)
		}
		ops = append(ops, op)
	}
	g.Ops = nil // in the order of the grammar, so that equal grants are equal
	for _, op := range subjects.NewOpSet(ops...).Ops() {
		g.Ops = append(g.Ops, op.String())
	}
	limit, err := record.LimitOf(g)
	if err != nil {
		return g, nil, err
	}
	if _, err := match.Compile(match.Definition{Limit: limit}); err != nil {
		return g, nil, err
	}
	if !limit.Ops.Has(subjects.Delete) {
		warnings = append(warnings, fmt.Sprintf("%s gets no deletes: it keeps the rows that are gone", service))
	}
	if g.Filter != "" {
		reads, err := match.CheckFilter(g.Filter)
		if err != nil {
			return g, nil, err
		}
		if len(reads) > 0 {
			warnings = append(warnings, fmt.Sprintf("the filter for %s reads %s unguarded: an event without it is not allowed", service, request.Clip(reads[0].Name)))
		}
	}
	return g, warnings, nil
}

// sum identifies the content of a policy.
func sum(allow map[string]contract.Grant) string {
	text, err := json.Marshal(allow)
	if err != nil {
		return "" // plain data always encodes
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:8])
}
