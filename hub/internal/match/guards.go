package match

import (
	"maps"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// facts are the reads, by their keys, that need no guard any more. nil is none.
type facts map[string]bool

// everything is the key that stands for all reads.
const everything = "*"

func oneFact(key string) facts { return facts{key: true} }

func (f facts) has(key string) bool { return f[key] || f[everything] }

// with is both; neither is changed.
func (f facts) with(other facts) facts {
	switch {
	case len(other) == 0:
		return f
	case len(f) == 0:
		return other
	}
	both := maps.Clone(f)
	maps.Copy(both, other)
	return both
}

// and is what both hold.
func (f facts) and(other facts) facts {
	switch {
	case f[everything]:
		return other
	case other[everything]:
		return f
	}
	shared := facts{}
	for key := range f {
		if other[key] {
			shared[key] = true
		}
	}
	return shared
}

// renamed has the reads of one variable as those of another.
func (f facts) renamed(from, to string) facts {
	out := facts{}
	for key := range f {
		out[strings.ReplaceAll(key, from, to)] = true
	}
	return out
}

// settled is what a part of a filter comes to where a read is missing: the reads
// of which each would make it false, and those of which each would make it true,
// where it does not end in an error.
type settled struct{ no, yes facts }

// settledOf finds that once for each part: visit asks at every level.
func (r *reader) settledOf(e ast.Expr) settled {
	if known, ok := r.settled[e]; ok {
		return known
	}
	var s settled
	switch e.Kind() { //nolint:exhaustive // nothing else yields a bool that depends on a member being there
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			s.no = oneFact(r.textOf(e).key)
		}
	case ast.LiteralKind:
		switch e.AsLiteral() {
		case types.False:
			s.no = oneFact(everything)
		case types.True:
			s.yes = oneFact(everything)
		}
	case ast.CallKind:
		s = r.settledCall(e.AsCall())
	}
	r.settled[e] = s
	return s
}

func (r *reader) settledCall(call ast.CallExpr) settled {
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalNot:
		s := r.settledOf(args[0])
		return settled{no: s.yes, yes: s.no}
	case operators.LogicalAnd:
		a, b := r.settledOf(args[0]), r.settledOf(args[1])
		return settled{no: a.no.with(b.no), yes: a.yes.and(b.yes)}
	case operators.LogicalOr:
		a, b := r.settledOf(args[0]), r.settledOf(args[1])
		return settled{no: a.no.and(b.no), yes: a.yes.with(b.yes)}
	case operators.Conditional:
		c, a, b := r.settledOf(args[0]), r.settledOf(args[1]), r.settledOf(args[2])
		return settled{no: c.choose(a.no, b.no), yes: c.choose(a.yes, b.yes)}
	case operators.In:
		return settled{no: oneFact(r.memberOf(args[1], args[0]).key)}
	case operators.Equals, operators.NotEquals:
		return r.settledComparison(call)
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return r.sizes(args)
	}
	return settled{}
}

// choose is what settles c ? a : b where a and b are what settles its sides.
func (c settled) choose(a, b facts) facts {
	return c.yes.and(a).with(c.no.and(b)).with(a.and(b))
}

// settledComparison is that of has(data.x) == true, of data.list != [] and of
// size(data.list) == 0.
func (r *reader) settledComparison(call ast.CallExpr) settled {
	args := call.Args()
	for i, arg := range args {
		if arg.Kind() != ast.LiteralKind {
			continue
		}
		b, ok := arg.AsLiteral().(types.Bool)
		if !ok {
			continue
		}
		s := r.settledOf(args[1-i])
		if bool(b) == (call.FunctionName() == operators.Equals) {
			return s // e == true, e != false
		}
		return settled{no: s.yes, yes: s.no}
	}
	return r.sizes(args)
}

// sizes are the lists of which a comparison asks how long they are. Whether the
// answer fits the index is not looked into: a filter that asks knows what it does.
func (r *reader) sizes(args []ast.Expr) settled {
	known := facts{}
	for i, arg := range args {
		switch {
		case arg.Kind() == ast.ListKind:
			known["size "+r.textOf(args[1-i]).key] = true
		case arg.Kind() == ast.CallKind && arg.AsCall().FunctionName() == "size":
			call := arg.AsCall()
			list := call.Target()
			if !call.IsMemberFunction() {
				list = call.Args()[0]
			}
			known["size "+r.textOf(list).key] = true
		}
	}
	return settled{no: known, yes: known}
}
