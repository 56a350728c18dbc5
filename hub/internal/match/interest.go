package match

import (
	"slices"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/subjects"
)

// Definition is the registered definition of a service's interest in one entity.
type Definition struct {
	ID     string
	Entity subjects.Name
	Ops    subjects.OpSet
	// Filter is a CEL expression that yields a bool; empty passes everything. Deletes
	// always pass. It is CEL's standard library with its macros, over data, entity,
	// op, key, headers and time. Numbers are as event.Event.Value has them. A missing
	// member is an error, except to has(), for which nothing but an object has
	// members. Expressions are refused that hosts could evaluate differently (time
	// zones) or whose cost is not counted.
	Filter string
	// Only is a second filter, that of a backfill: a row must pass both. It is
	// applied where Filter is.
	Only string
	// Fields are the JSON paths that copies keep, through arrays in each of
	// their elements; empty keeps the payload untouched.
	Fields []string
	// Since is the first position that the service is due.
	Since event.Position
	// Echo includes the events that the service itself published.
	Echo bool
	// Limit is what the owner's policy allows; nil without a policy.
	Limit *Limit
}

// Interest is a compiled Definition, immutable and safe for concurrent use.
type Interest struct {
	def    Definition
	filter *filter     // nil: every event passes
	only   *filter     // nil: every event passes
	fields *projection // nil: the payload is unchanged
	limit  *limit      // nil: everything is allowed
}

// Definition returns the definition from which the interest was compiled.
func (i *Interest) Definition() Definition {
	def := i.def
	def.Fields = slices.Clone(def.Fields)
	return def
}

// Unguarded are the members, elements and headers that the filter reads without
// a guard, each once; an event without one of these members is a dead letter. A guard is
// has(data.x), 'x' in data, or a size that is asked for, in the places where CEL
// then does not mind that it is missing.
func (i *Interest) Unguarded() []Read {
	if i.filter == nil {
		return nil
	}
	return slices.Clone(i.filter.unguarded)
}
