package inbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/replhub/replhub/database"
)

// ValueError says that a delivery has a value that a table's column cannot hold
// exactly. No row was written. Another attempt cannot succeed: alter the column's
// type, change the publisher's value, or set the [Column]'s Convert.
type ValueError struct {
	// Table, Entity and Key say which row it is about.
	Table, Entity, Key string
	// Column is the column, Type its type in the database's words. Both are empty
	// where the payload as a whole is no JSON object.
	Column, Type string
	// Value is the value as JSON, or the key as text, shortened when it is long.
	Value string
	// Reason says why it was refused.
	Reason string
	// Err is the error of the column's Convert, or of the JSON; else nil.
	Err error
}

// Error names the row, the column, the value and the reason.
func (e *ValueError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "table %s: entity %s, key %q: ", e.Table, e.Entity, e.Key)
	if e.Column != "" {
		fmt.Fprintf(&s, "column %q", e.Column)
		if e.Type != "" {
			fmt.Fprintf(&s, " (%s)", e.Type)
		}
		s.WriteString(": ")
	}
	if e.Value != "" {
		fmt.Fprintf(&s, "value %s: ", e.Value)
	}
	s.WriteString(e.Reason)
	return s.String()
}

// Unwrap returns Err.
func (e *ValueError) Unwrap() error { return e.Err }

// Class is database.Invalid: the same delivery fails at every attempt.
func (*ValueError) Class() database.Class { return database.Invalid }

// permanentError is a sentinel for deliveries that fail at every attempt.
type permanentError string

func (e permanentError) Error() string { return string(e) }

// Class is database.Invalid.
func (permanentError) Class() database.Class { return database.Invalid }

// TableError says that a table does not fit its config, so that no delivery can be
// applied. It is about the table, not about a delivery: once the table is altered,
// the same delivery is applied.
type TableError struct {
	// Table is the table's name as in its config.
	Table string
	// Problems lists the problems, each with its remedy.
	Problems []string
}

// Error lists the problems.
func (e *TableError) Error() string {
	return fmt.Sprintf("table %s cannot be a replica: %s", e.Table, strings.Join(e.Problems, "; "))
}

// Class is database.Unavailable: a subscriber waits until the table is altered.
func (*TableError) Class() database.Class { return database.Unavailable }

// longestShown bounds a value in an error, in bytes.
const longestShown = 64

// shown is a value for an error.
func shown(value string) string {
	value = strings.ToValidUTF8(value, "\ufffd")
	if len(value) <= longestShown {
		return value
	}
	end := longestShown
	for !utf8.RuneStart(value[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", value[:end], len(value))
}
