package match

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// check walks a filter's tree and returns the reason to refuse it beyond CEL's own
// rules, "" for none. Refused are expressions that could make hubs decide
// differently, and those that could cost more than is counted.
func check(e ast.Expr) string {
	c := checker{}
	c.visit(e)
	if c.problem == "" && c.loops && c.hasMap {
		return "a map literal beside a macro such as exists() is not allowed: CEL goes over it in no fixed order"
	}
	return c.problem
}

type checker struct {
	// scope holds the variables of the macros around the place at hand.
	scope         []string
	loops, hasMap bool
	problem       string
}

func (c *checker) visit(e ast.Expr) {
	switch e.Kind() { //nolint:exhaustive // identifiers and literals cost nothing and refer to nothing
	case ast.SelectKind:
		c.visit(e.AsSelect().Operand())
	case ast.CallKind:
		c.call(e.AsCall())
	case ast.ListKind:
		c.list(e.AsList())
	case ast.MapKind:
		c.hasMap = true
		for _, entry := range e.AsMap().Entries() {
			c.visit(entry.AsMapEntry().Key())
			c.visit(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		c.problem = "message literals are not allowed"
	case ast.ComprehensionKind:
		c.comprehension(e.AsComprehension())
	}
}

func (c *checker) call(call ast.CallExpr) {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case "matches":
		// The compilation of a pattern from an event would not be counted as cost.
		if len(args) > 0 && args[len(args)-1].Kind() != ast.LiteralKind {
			c.problem = "matches() takes its pattern as a literal only"
		}
	case "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
		"getHours", "getMinutes", "getSeconds", "getMilliseconds":
		if len(args) > 0 {
			c.problem = name + "() takes no time zone here: zones differ from host to host; times are UTC"
		}
	}
	if call.IsMemberFunction() {
		c.visit(call.Target())
	}
	for _, arg := range args {
		c.visit(arg)
	}
}

// list refuses a literal around a macro's variable: in nested macros it would
// multiply a value beyond the counted cost.
func (c *checker) list(list ast.ListExpr) {
	for _, element := range list.Elements() {
		if c.mentions(element) {
			c.problem = "a list literal inside a macro may not hold the macro's variable; compare one by one, with ||"
		}
		c.visit(element)
	}
}

func (c *checker) comprehension(loop ast.ComprehensionExpr) {
	c.loops = true
	c.visit(loop.IterRange())
	c.visit(loop.AccuInit())
	c.scope = append(c.scope, loop.IterVar())
	c.visit(loop.LoopCondition())
	c.step(loop.LoopStep(), loop.AccuVar())
	c.visit(loop.Result())
	c.scope = c.scope[:len(c.scope)-1]
}

// step visits what a macro does with each element. The literal in the step that
// map() and filter() expand to, result + [element], is not the filter's own;
// meter counts what it adds.
func (c *checker) step(e ast.Expr, result string) {
	if e.Kind() != ast.CallKind {
		c.visit(e)
		return
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Conditional:
		for _, arg := range args {
			c.step(arg, result)
		}
	case operators.Add:
		if args[0].Kind() == ast.IdentKind && args[0].AsIdent() == result && args[1].Kind() == ast.ListKind {
			for _, element := range args[1].AsList().Elements() {
				c.visit(element)
			}
			return
		}
		c.visit(e)
	default:
		c.visit(e)
	}
}

// mentions reports whether e names a variable of a macro around it.
func (c *checker) mentions(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && slices.Contains(c.scope, e.AsIdent()) {
			found = true
		}
	}))
	return found
}
