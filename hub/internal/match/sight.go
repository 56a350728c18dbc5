package match

import (
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/replhub/replhub/internal/contract"
)

// Sight is how much of a member the copies of an interest have.
type Sight int

// The sights.
const (
	Whole   Sight = iota // the member as it is
	Nothing              // the member is left out
	Partly               // some of what is in it
)

// Judges reports whether it depends on the row whether the interest gets it, or whether
// it can be projected at all.
func (i *Interest) Judges() bool {
	return i.filter != nil || i.only != nil || i.limit != nil && (i.limit.filter != nil || i.limit.blind != "" || i.limit.apart)
}

// ReadsPayload reports whether what the interest gets tells of what is in payloads: it keeps
// some members, or a filter reads them.
func (i *Interest) ReadsPayload() bool {
	return i.fields != nil || i.filter != nil && i.filter.payload || i.only != nil && i.only.payload
}

// readsData reports whether an expression names data, in whatever way.
func readsData(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(part ast.Expr) {
		found = found || part.Kind() == ast.IdentKind && strings.TrimPrefix(part.AsIdent(), ".") == "data"
	}))
	return found
}

// Sees says how much copies have of the first level of a path, whose levels are parted by
// dots and have no backslash. What is below that level is not told: there a projection also
// leaves out what is no object, and goes on in the elements of an array.
func (i *Interest) Sees(at string) Sight {
	if i.fields == nil {
		return Whole
	}
	first, _, _ := strings.Cut(at, ".")
	child, found := i.fields.root.byName[first]
	switch {
	case !found:
		return Nothing
	case i.fields.root.children[child].leaf():
		return Whole
	}
	return Partly
}

// Narrow marks the columns that copies do not have as hidden. ok is false where a row has
// to be projected before its columns can be read.
func (i *Interest) Narrow(columns []contract.DigestColumn) (narrowed []contract.DigestColumn, ok bool) {
	narrowed = make([]contract.DigestColumn, len(columns))
	for n, column := range columns {
		if strings.Contains(column.Path, `\`) {
			return nil, false
		}
		switch i.Sees(column.Path) {
		case Whole:
		case Nothing:
			column.Hidden = true
		case Partly:
			return nil, false
		}
		narrowed[n] = column
	}
	return narrowed, true
}
