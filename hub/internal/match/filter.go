package match

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
)

// filter is a compiled CEL expression.
type filter struct {
	program cel.Program
	// unguarded are the reads that make a dead letter of an event that lacks the
	// member.
	unguarded []Read
	// reads are the members of data that the text names.
	reads []path
	// payload says that it reads the payload in any way.
	payload bool
}

// errNotFilterable means that the payload for a filter is not a JSON object.
var errNotFilterable = errors.New("the payload is not a JSON object, so that it cannot be filtered")

// passes evaluates the filter. On an error the event is dead for the reason
// given.
func (f *filter) passes(e *event.Event) (pass bool, reason string, err error) {
	value, err := e.Value()
	if err != nil {
		return false, contract.ReasonNotJSON, fmt.Errorf("the payload is not JSON, so that it cannot be filtered: %s", oneLine(err.Error()))
	}
	if _, ok := value.(*event.Object); !ok {
		return false, contract.ReasonNotObject, errNotFilterable
	}
	out, _, err := f.program.Eval(variables{e})
	if err != nil {
		return false, contract.ReasonFilter, explain(err)
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, contract.ReasonFilter, fmt.Errorf("the filter gave %s, not true or false", oneLine(out.Type().TypeName()))
	}
	return bool(b), "", nil
}

// variables gives a filter access to an event. Values that the filter does not name
// are not built.
type variables struct{ e *event.Event }

// ResolveName implements cel.Activation.
func (v variables) ResolveName(name string) (any, bool) {
	switch name {
	case "data":
		value, err := v.e.Value()
		return value, err == nil
	case "entity":
		return v.e.Subject.Entity().String(), true
	case "op":
		return v.e.Subject.Op().String(), true
	case "key":
		return v.e.Key, true
	case "headers":
		return v.e.Headers(), true
	case "time":
		return v.e.Time.UTC(), true
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (v variables) Parent() cel.Activation { return nil }

// explain turns an evaluation's error into a helpful line.
func explain(err error) error {
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok {
		if cancelled.Cause == interpreter.CostLimitExceeded {
			return fmt.Errorf("the filter cost more than %d steps on this event", costLimit)
		}
	}
	msg := oneLine(err.Error())
	if name, ok := strings.CutPrefix(msg, "no such key: "); ok {
		if !isIdentifier(name) {
			return fmt.Errorf("the filter: %s; guard a member that may be missing with has()", msg)
		}
		return fmt.Errorf("the filter: %s; guard a member that may be missing, as in has(data.%s) && data.%s == 1", msg, name, name)
	}
	return fmt.Errorf("the filter: %s", msg)
}

// longestError bounds an error's text, which may quote the payload.
const longestError = 300

// oneLine makes a text fit for a header, a log line and a terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if len(s) > longestError {
		s = strings.ToValidUTF8(s[:longestError], "") + "..."
	}
	return strings.TrimSpace(s)
}

// isIdentifier reports whether a member can be written after a dot.
func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // lower case, where it is a letter
		if s[i] != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
