package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// exprText is a part of a filter in words.
type exprText struct {
	// name is for people.
	name string
	// key is equal for parts that read the same, however they are written, and
	// tells variables of one name apart.
	key string
	// guard is a condition that is false where the part, a read, is missing.
	guard string
	// sized is the key of the list's size, for an element that is read by index.
	sized string
}

// variable is one of a macro's.
type variable struct{ name, key string }

// variableOf is the variable of a macro, with a key that no other has.
func variableOf(loop ast.ComprehensionExpr) variable {
	return variable{name: loop.IterVar(), key: fmt.Sprintf("each(%d)", loop.IterRange().ID())}
}

// textOf puts a part of a filter into words, once.
func (r *reader) textOf(e ast.Expr) exprText {
	t, ok := r.texts[e]
	if !ok {
		t = r.wordsOf(e)
		r.texts[e] = t
	}
	return t
}

func (r *reader) wordsOf(e ast.Expr) exprText {
	switch e.Kind() { //nolint:exhaustive // the others are unlike all else
	case ast.IdentKind:
		return r.ident(e.AsIdent())
	case ast.LiteralKind:
		text := literal(e)
		return exprText{name: text, key: text}
	case ast.SelectKind:
		return member(r.textOf(e.AsSelect().Operand()), e.AsSelect().FieldName())
	case ast.ListKind:
		return r.joined("[", e.AsList().Elements(), "]")
	case ast.CallKind:
		call := e.AsCall()
		switch args := call.Args(); {
		case call.FunctionName() == operators.Index:
			return r.memberOf(args[0], args[1])
		case call.FunctionName() == "dyn" && len(args) == 1:
			return r.textOf(args[0]) // the same value
		case call.IsMemberFunction():
			return r.joined(call.FunctionName()+"(", append([]ast.Expr{call.Target()}, args...), ")")
		default:
			return r.joined(call.FunctionName()+"(", args, ")")
		}
	}
	return exprText{name: "(…)", key: fmt.Sprintf("(%d)", e.ID())}
}

func (r *reader) ident(name string) exprText {
	for _, v := range slices.Backward(r.vars) {
		if v.name == name {
			return exprText{name: name, key: v.key}
		}
	}
	return exprText{name: name, key: name}
}

func (r *reader) joined(open string, parts []ast.Expr, end string) exprText {
	names, keys := make([]string, len(parts)), make([]string, len(parts))
	for i, part := range parts {
		t := r.textOf(part)
		names[i], keys[i] = t.name, t.key
	}
	return exprText{name: open + strings.Join(names, ", ") + end, key: open + strings.Join(keys, ", ") + end}
}

// memberOf is what an index reads.
func (r *reader) memberOf(of, index ast.Expr) exprText {
	operand := r.textOf(of)
	if index.Kind() == ast.LiteralKind {
		if name, ok := index.AsLiteral().(types.String); ok {
			return member(operand, string(name))
		}
	}
	i := r.textOf(index)
	t := exprText{
		name: operand.name + "[" + i.name + "]", key: operand.key + "[" + i.key + "]",
		guard: i.name + " in " + operand.name, sized: "size " + operand.key,
	}
	if index.Kind() == ast.LiteralKind {
		t.guard = "size(" + operand.name + ") > " + i.name
	}
	return t
}

// member is a member read by its name, with a dot or as an index.
func member(of exprText, name string) exprText {
	quoted := strconv.Quote(name)
	t := exprText{key: of.key + "." + quoted}
	if isIdentifier(name) && of.name != "headers" {
		t.name = of.name + "." + name
		t.guard = "has(" + t.name + ")"
		return t
	}
	quoted = "'" + strings.ReplaceAll(quoted[1:len(quoted)-1], "'", `\'`) + "'"
	t.name = of.name + "[" + quoted + "]"
	t.guard = quoted + " in " + of.name
	return t
}

func literal(e ast.Expr) string {
	switch v := e.AsLiteral().(type) {
	case types.String:
		return strconv.Quote(string(v))
	default:
		return fmt.Sprint(v.Value())
	}
}
