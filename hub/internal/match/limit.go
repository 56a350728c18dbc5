package match

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Limit is what the policy of an entity's owner allows one service. An interest gets
// what both the service asks for and the policy allows. The zero Limit allows
// nothing.
type Limit struct {
	// Ops are the operations that the service may get.
	Ops subjects.OpSet
	// Filter is a CEL expression that events must pass; empty passes all. An event
	// for which it fails is not allowed. A delete that it does not pass comes without
	// its payload and its publisher's headers: a replica must learn that a row is gone.
	Filter string
	// Fields are the JSON paths that the service may see; empty is all. The filters of
	// the service see nothing else either: otherwise the copies that pass would tell
	// what the hidden members hold.
	Fields []string
}

// limit is a compiled Limit.
type limit struct {
	ops    subjects.OpSet
	filter *filter     // nil: every event passes
	view   *projection // nil: the whole payload may be seen
	// blind is a hidden member that a filter of the service names; such a filter
	// cannot be applied, and the interest gets nothing. Empty without one.
	blind string
	// apart says that the policy allows none of the fields that the service asks for. An
	// empty object in place of a row would blank the columns of a replica, so that it gets
	// deletes alone, without a payload.
	apart bool
}

// compileLimit completes an interest with its limit. The fields of the interest
// become those that it asks for and may see.
func (c *Compiler) compileLimit(i *Interest) error {
	l := &limit{ops: i.def.Limit.Ops}
	var err error
	if text := i.def.Limit.Filter; text != "" {
		if l.filter, err = c.filter(text); err != nil {
			return err
		}
	}
	if len(i.def.Limit.Fields) > 0 {
		allowed, err := parsePaths(i.def.Limit.Fields)
		if err != nil {
			return err
		}
		asked, err := parsePaths(i.def.Fields)
		if err != nil {
			return err
		}
		l.view = projectionOf(allowed)
		i.fields = l.view
		if len(asked) > 0 {
			both := intersect(asked, allowed)
			i.fields, l.apart = projectionOf(both), len(both) == 0
		}
		l.blind = hiddenRead(allowed, i.filter, i.only)
	}
	i.limit = l
	return nil
}

// Outside returns what a definition asks for by name and a limit does not allow: the
// place in the definition ("filter", "ops[1]" or "fields[0]", in this order) and its
// text; empty without such a part. Operations and fields that are not stated ask for nothing by
// name. It must be given a definition and a limit that compile.
func Outside(def Definition, ops []subjects.Op, limit Limit) (field, text string) {
	if hidden := limit.hides(def.Filter, def.Only); hidden != "" {
		return "filter", hidden
	}
	for i, op := range ops {
		if !limit.Ops.Has(op) {
			return indexed("ops", i), op.String()
		}
	}
	allowed, err := parsePaths(limit.Fields)
	if err != nil {
		return "fields", err.Error() // not reached with a limit that compiles
	}
	for i, asked := range def.Fields {
		p, err := parsePath(asked)
		if len(allowed) > 0 && (err != nil || !slices.ContainsFunc(allowed, func(a path) bool { return a.above(p) })) {
			return indexed("fields", i), asked
		}
	}
	return "", ""
}

// hides returns the first member that one of the filters names and that the limit
// hides, or why the filter does not compile; empty without either.
func (l Limit) hides(filters ...string) string {
	allowed, err := parsePaths(l.Fields)
	if err != nil || len(allowed) == 0 {
		return ""
	}
	for _, text := range filters {
		if text == "" {
			continue
		}
		f, err := new(Compiler).filter(text)
		if err != nil {
			return err.Error()
		}
		if hidden := hiddenRead(allowed, f); hidden != "" {
			return hidden
		}
	}
	return ""
}

// above reports whether p is other, or leads to it.
func (p path) above(other path) bool { return len(p) <= len(other) && slices.Equal(p, other[:len(p)]) }

// intersect returns the paths that lie within both sets. No path of a set lies below
// another one of it, and neither does one of the result.
func intersect(a, b []path) []path {
	var both []path
	for _, x := range a {
		for _, y := range b {
			switch {
			case y.above(x):
				both = append(both, x)
			case x.above(y):
				both = append(both, y)
			}
		}
	}
	return both
}

// parsePaths parses the fields of a definition that has been checked.
func parsePaths(fields []string) ([]path, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	if _, err := compileFields(fields); err != nil {
		return nil, err
	}
	paths := make([]path, 0, len(fields))
	for _, field := range fields {
		p, err := parsePath(field)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// projectionOf keeps paths none of which lies below another; without a path it
// keeps an empty object.
func projectionOf(paths []path) *projection {
	root := newNode()
	for _, p := range paths {
		root.add(p)
	}
	return &projection{root: root}
}

// allows reports whether an operation may reach the service at all.
func (l *limit) allows(op subjects.Op) bool {
	return l.blind == "" && l.ops.Has(op) && (!l.apart || op == subjects.Delete)
}

// Apart reports whether a limit allows none of the fields that a definition names. It must
// be given a definition and a limit that compile.
func Apart(def Definition, limit Limit) bool {
	asked, err := parsePaths(def.Fields)
	if err != nil || len(asked) == 0 || len(limit.Fields) == 0 {
		return false
	}
	allowed, err := parsePaths(limit.Fields)
	return err == nil && len(intersect(asked, allowed)) == 0
}

// expandLimited is the rest of Expand for an interest under a policy.
func (t *Table) expandLimited(w *want, e *event.Event) Decision {
	i, op := w.interest, e.Subject.Op()
	if i.limit.filter != nil {
		if pass, _, err := i.limit.filter.passes(e); err != nil || !pass {
			if op != subjects.Delete {
				return Decision{Kind: Skip, Why: contract.VerdictNotAllowed, Interest: i}
			}
			return Decision{Kind: Copy, Subject: t.subject(w, e), Bare: true, Interest: i}
		}
	}
	if op != subjects.Delete && (i.filter != nil || i.only != nil) {
		seen := e
		if i.limit.view != nil {
			data, reason, err := i.limit.view.project(op, e.Data)
			if err != nil {
				return Decision{Kind: Dead, Why: reason, Err: err, Interest: i}
			}
			seen = e.WithData(data)
		}
		pass, reason, err := i.passes(seen)
		if err != nil {
			return Decision{Kind: Dead, Why: reason, Err: err, Interest: i}
		}
		if !pass {
			return Decision{Kind: Skip, Why: contract.VerdictFiltered, Interest: i}
		}
	}
	if i.limit.apart {
		// A delete, which says by its key that the row is gone.
		return Decision{Kind: Copy, Subject: t.subject(w, e), Interest: i}
	}
	return t.project(w, e)
}

// Blind is the hidden member that a filter of the interest names, so that the
// interest gets nothing; empty where there is none.
func (i *Interest) Blind() string {
	if i.limit == nil {
		return ""
	}
	return i.limit.blind
}

// hiddenRead returns the first member that one of the filters names and that lies
// outside the allowed paths, as in "data.salary"; empty when there is none. Members
// that are not named in the text (by a variable, or of a macro's element) are not
// found: a filter does not see them.
func hiddenRead(allowed []path, filters ...*filter) string {
	for _, f := range filters {
		if f == nil {
			continue
		}
		for _, read := range f.reads {
			if !slices.ContainsFunc(allowed, func(p path) bool { return p.above(read) || read.above(p) }) {
				return "data." + strings.Join(read, ".")
			}
		}
	}
	return ""
}

// dataReads returns the paths of the members of data that an expression names, has()
// included. An element of a list has the path of the list, as in fields.
func dataReads(e ast.Expr) []path {
	var reads []path
	if p, ok := dataPath(e); ok {
		reads = append(reads, p)
	}
	switch e.Kind() { //nolint:exhaustive // identifiers and literals have no parts
	case ast.SelectKind:
		if _, ok := dataPath(e); !ok {
			reads = append(reads, dataReads(e.AsSelect().Operand())...)
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			reads = append(reads, dataReads(call.Target())...)
		}
		for _, arg := range call.Args() {
			if _, ok := dataPath(e); !ok || arg != call.Args()[0] {
				reads = append(reads, dataReads(arg)...)
			}
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			reads = append(reads, dataReads(element)...)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			reads = append(reads, dataReads(entry.AsMapEntry().Key())...)
			reads = append(reads, dataReads(entry.AsMapEntry().Value())...)
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		for _, part := range []ast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()} {
			reads = append(reads, dataReads(part)...)
		}
	}
	return reads
}

// dataPath returns the path of an expression such as data.address["city"]; ok is
// false for any other expression, and for data itself.
func dataPath(e ast.Expr) (p path, ok bool) {
	switch e.Kind() { //nolint:exhaustive // nothing else leads to a member
	case ast.SelectKind:
		above, ok := dataOrPath(e.AsSelect().Operand())
		return append(slices.Clip(above), e.AsSelect().FieldName()), ok
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index {
			return nil, false
		}
		above, ok := dataOrPath(call.Args()[0])
		if index := call.Args()[1]; ok && index.Kind() == ast.LiteralKind {
			if name, text := index.AsLiteral().(types.String); text {
				return append(slices.Clip(above), string(name)), true
			}
		}
		return above, ok && len(above) > 0
	}
	return nil, false
}

// dataOrPath is dataPath, and the empty path for data itself.
func dataOrPath(e ast.Expr) (p path, ok bool) {
	if e.Kind() == ast.IdentKind && e.AsIdent() == "data" {
		return nil, true
	}
	return dataPath(e)
}
