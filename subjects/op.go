package subjects

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Op is what was done to an entity. The zero Op is none.
type Op uint8

// The operations.
const (
	Create Op = iota + 1
	Read
	Update
	Delete
)

// ParseOp parses "create", "read", "update" or "delete", exactly so spelt. Its
// error is an *OpError.
func ParseOp(s string) (Op, error) {
	switch s {
	case "create":
		return Create, nil
	case "read":
		return Read, nil
	case "update":
		return Update, nil
	case "delete":
		return Delete, nil
	default:
		return 0, &OpError{Value: s}
	}
}

// String is the op's word in subjects.
func (op Op) String() string {
	switch op {
	case Create:
		return "create"
	case Read:
		return "read"
	case Update:
		return "update"
	case Delete:
		return "delete"
	default:
		return "op(" + strconv.Itoa(int(op)) + ")"
	}
}

// Ops lists all operations in the order of their constants.
func Ops() []Op { return []Op{Create, Read, Update, Delete} }

// OpError refuses a word that is no operation.
type OpError struct {
	Value string
}

// Error implements error.
func (e *OpError) Error() string {
	return fmt.Sprintf("op %s: want create, read, update or delete", contract.Quote(e.Value))
}

// OpSet is a set of operations; the zero OpSet is empty.
type OpSet uint8

// DefaultOps are an interest's default operations: every change, no reads.
const DefaultOps OpSet = 1<<Create | 1<<Update | 1<<Delete

// NewOpSet makes a set of ops; invalid values are left out.
func NewOpSet(ops ...Op) OpSet {
	var set OpSet
	for _, op := range ops {
		if op >= Create && op <= Delete {
			set |= 1 << op
		}
	}
	return set
}

// Has reports whether op is in the set.
func (set OpSet) Has(op Op) bool { return op >= Create && op <= Delete && set&(1<<op) != 0 }

// Ops lists the set in the order of the constants.
func (set OpSet) Ops() []Op {
	ops := make([]Op, 0, Delete)
	for op := Create; op <= Delete; op++ {
		if set.Has(op) {
			ops = append(ops, op)
		}
	}
	return ops
}

// String lists the set's words, separated by commas.
func (set OpSet) String() string {
	var words []string
	for _, op := range set.Ops() {
		words = append(words, op.String())
	}
	return strings.Join(words, ",")
}
