package inbox

import (
	"errors"
	"fmt"
)

// rule says for one column type what becomes of each JSON value: what is given to
// the database, so that it stores exactly that value, or why the value is refused.
// Rules are pure. TYPES.md has what they come to.
//
// A null never reaches a rule, nor a string that is no text; see ruled.
type rule interface {
	store(v jsonValue) (any, error)
}

// keyRule is a rule of a column that can be a key: two keys that it takes are two
// values of the column.
type keyRule interface {
	rule

	key(text string) (any, error)
}

// refusedKind is why a value of this kind is not stored in a column of that sort.
func refusedKind(v jsonValue, column string) error {
	return fmt.Errorf("%s is not stored in %s; a Convert function can say how", v.kind, column)
}

// unknownRule is that of types that are not known here.
type unknownRule struct{}

var errUnknownType = errors.New("there is no rule for values of this type; give the Column a Convert function, whose result is stored as it is, or make the column text")

func (unknownRule) store(jsonValue) (any, error) { return nil, errUnknownType }
