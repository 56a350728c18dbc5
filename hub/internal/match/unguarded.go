package match

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Read is a member, element or header that a filter reads without a check that it
// exists. An event without it becomes a dead letter.
type Read struct {
	// Name is what is read, as in "data.tenant".
	Name string
	// Guard is a condition that is false where it is missing, as in
	// "has(data.tenant)".
	Guard string
}

// unguarded returns a filter's unguarded reads, each once, in the order of the text.
// A read is guarded where, were it missing, CEL would not look at it or would not
// mind: && is false as soon as one side is, and || true, whatever error the other
// side ends in, and of c ? a : b one side is left out.
func unguarded(e ast.Expr) []Read {
	r := reader{told: make(map[string]bool), texts: make(map[ast.Expr]exprText), settled: make(map[ast.Expr]settled)}
	r.visit(e, nil)
	return r.reads
}

// reader walks a filter's tree.
type reader struct {
	// vars are the variables of the macros around the place at hand, innermost
	// last.
	vars  []variable
	told  map[string]bool
	reads []Read

	// The results for parts are kept, because parts contain parts.
	texts   map[ast.Expr]exprText
	settled map[ast.Expr]settled
}

// visit notes the reads in e that known does not hold.
func (r *reader) visit(e ast.Expr, known facts) {
	switch e.Kind() { //nolint:exhaustive // identifiers and literals are always there
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand(), known)
		if !e.AsSelect().IsTestOnly() {
			r.read(e, known)
		}
	case ast.CallKind:
		r.call(e, known)
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			r.visit(element, known)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key(), known)
			r.visit(entry.AsMapEntry().Value(), known)
		}
	case ast.ComprehensionKind:
		r.comprehension(e.AsComprehension(), known)
	}
}

func (r *reader) call(e ast.Expr, known facts) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		r.chain(e, known, func(s settled) facts { return s.no })
		return
	case operators.LogicalOr:
		r.chain(e, known, func(s settled) facts { return s.yes })
		return
	case operators.Conditional:
		r.visit(args[0], known)
		r.visit(args[1], known.with(r.settledOf(args[0]).no))
		r.visit(args[2], known.with(r.settledOf(args[0]).yes))
		return
	}
	if call.IsMemberFunction() {
		r.visit(call.Target(), known)
	}
	for _, arg := range args {
		r.visit(arg, known)
	}
	if call.FunctionName() == operators.Index {
		r.read(e, known)
	}
}

// chain visits the sides of a && b && … or a || b || …. Each side may rely on
// all others: the order of the sides is no matter to CEL.
func (r *reader) chain(e ast.Expr, known facts, settles func(settled) facts) {
	sides := sidesOf(e, e.AsCall().FunctionName(), nil)
	for _, side := range sides {
		known = known.with(settles(r.settledOf(side)))
	}
	for _, side := range sides {
		r.visit(side, known)
	}
}

// sidesOf flattens a chain of one operator.
func sidesOf(e ast.Expr, operator string, sides []ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operator {
		return append(sides, e)
	}
	for _, arg := range e.AsCall().Args() {
		sides = sidesOf(arg, operator, sides)
	}
	return sides
}

// comprehension visits a macro, whose variable shadows one of the same name.
func (r *reader) comprehension(loop ast.ComprehensionExpr, known facts) {
	r.visit(loop.IterRange(), known)
	r.visit(loop.AccuInit(), known)
	v := variableOf(loop)
	known = known.with(r.ofElements(loop.IterRange(), v))
	// A map's variable is a key that is there.
	known = known.with(oneFact(r.textOf(loop.IterRange()).key + "[" + v.key + "]"))
	r.vars = append(r.vars, v)
	r.visit(loop.LoopCondition(), known)
	r.visit(loop.LoopStep(), known)
	r.visit(loop.Result(), known)
	r.vars = r.vars[:len(r.vars)-1]
}

// ofElements is what is known of each element of a list that filter() made.
func (r *reader) ofElements(list ast.Expr, v variable) facts {
	if list.Kind() != ast.ComprehensionKind {
		return nil
	}
	loop := list.AsComprehension()
	step := loop.LoopStep()
	if step.Kind() != ast.CallKind || step.AsCall().FunctionName() != operators.Conditional {
		return nil
	}
	added := step.AsCall().Args()[1]
	if added.Kind() != ast.CallKind || added.AsCall().FunctionName() != operators.Add {
		return nil
	}
	element := added.AsCall().Args()[1]
	if element.Kind() != ast.ListKind || element.AsList().Size() != 1 {
		return nil // exists_one() counts
	}
	element = element.AsList().Elements()[0]
	if element.Kind() != ast.IdentKind || element.AsIdent() != loop.IterVar() {
		return nil // map() makes elements of another kind
	}
	inner := variableOf(loop)
	known := r.ofElements(loop.IterRange(), inner)
	r.vars = append(r.vars, inner)
	known = known.with(r.settledOf(step.AsCall().Args()[0]).no)
	r.vars = r.vars[:len(r.vars)-1]
	return known.renamed(inner.key, v.key)
}

// read notes that e, a member or an element, is read.
func (r *reader) read(e ast.Expr, known facts) {
	t := r.textOf(e)
	if known.has(t.key) || r.told[t.key] || t.sized != "" && known.has(t.sized) || constantIndex(e) {
		return
	}
	r.told[t.key] = true
	r.reads = append(r.reads, Read{Name: t.name, Guard: t.guard})
}

// constantIndex tells an index into a list that the filter itself holds.
func constantIndex(e ast.Expr) bool {
	if e.Kind() != ast.CallKind {
		return false
	}
	args := e.AsCall().Args()
	if args[0].Kind() != ast.ListKind || args[1].Kind() != ast.LiteralKind {
		return false
	}
	i, ok := args[1].AsLiteral().(types.Int)
	return ok && i >= 0 && int(i) < args[0].AsList().Size()
}
