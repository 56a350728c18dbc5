// Package outboxtable turns the rows of a service's outbox table into events: of package
// outbox's own table, and of tables of another layout, whose columns are named. It is
// pure.
//
// What is promised: a row is the event that its columns say, with the payload's bytes. A
// row that is no event is an error, never another event.
//
// layout.go reads what an operator says about the columns, reader.go makes events.
package outboxtable

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/nearest"
	"github.com/replhub/replhub/subjects"
)

// The presets.
const (
	// Own is the table of package outbox.
	Own = "replhub"
	// Debezium is the table that Debezium's outbox event router reads.
	Debezium = "debezium"
)

// Layout says which column of a table is which part of an event.
type Layout struct {
	// own says that the table is that of package outbox.
	own bool
	// lenient says that a type of event which names no op is an update, or what its ending
	// says, such as UserCreated.
	lenient bool
	// parts are columns by the name of the part, or constants, which begin with a colon.
	parts map[string]string
	// ops are the ops of further values of the op's column.
	ops map[string]subjects.Op
}

// The parts of an event.
const (
	partEntity      = "entity"
	partKey         = "key"
	partOp          = "op"
	partPayload     = "payload"
	partID          = "id"
	partType        = "type"
	partVersion     = "version"
	partContentType = "content_type"
	partHeader      = "header"
)

func partNames() []string {
	return []string{partEntity, partKey, partOp, partPayload, partID, partType, partVersion, partContentType, partHeader}
}

func presets() map[string]Layout {
	return map[string]Layout{
		Own: {own: true, parts: map[string]string{
			partEntity: "entity", partKey: "entity_key", partOp: "op", partPayload: "payload", partID: "event_id",
			partVersion: "version", partContentType: "content_type", partHeader: "header",
		}},
		Debezium: {lenient: true, parts: map[string]string{
			partEntity: "aggregatetype", partKey: "aggregateid", partOp: "type", partPayload: "payload", partID: "id", partType: "type",
		}},
	}
}

// Parse reads a layout: a preset, "part=column" with commas between, or both. An empty
// text is the preset of package outbox. A column that begins with a colon is a constant.
// "create=<value>", and so on for each op, says which value of the op's column has that
// meaning.
func Parse(text string) (*Layout, error) {
	if text == "" {
		text = Own
	}
	l := &Layout{parts: map[string]string{}, ops: map[string]subjects.Op{}}
	for n, word := range strings.Split(text, ",") {
		name, value, assigned := strings.Cut(word, "=")
		if preset, ok := presets()[name]; ok && n == 0 && !assigned {
			l.own, l.lenient, l.parts = preset.own, preset.lenient, preset.parts
			continue
		}
		if err := l.set(word, name, value, assigned); err != nil {
			return nil, err
		}
	}
	for _, part := range []string{partEntity, partPayload} {
		if l.parts[part] == "" {
			return nil, fmt.Errorf("the column of the %s is missing: add %s=<column>", part, part)
		}
	}
	return l, nil
}

func (l *Layout) set(word, name, value string, assigned bool) error {
	op, err := subjects.ParseOp(name)
	switch {
	case !assigned || value == "":
		return fmt.Errorf("%q: must be the preset %s or %s, or a part of the event and its column, such as key=aggregateid", word, Own, Debezium)
	case err == nil:
		l.ops[value] = op
	case slices.Contains(partNames(), name):
		l.parts[name] = value
	default:
		hint := ""
		if near := nearest.Name(name, partNames(), "_"); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return fmt.Errorf("%q: there is no part %q of an event%s", word, name, hint)
	}
	return nil
}

// Own reports whether the table is that of package outbox.
func (l *Layout) Own() bool { return l.own }

// Columns are the columns that the table must have, ascending.
func (l *Layout) Columns() []string {
	var columns []string
	for _, part := range partNames() {
		if column := l.parts[part]; column != "" && column[0] != ':' {
			columns = append(columns, column)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}
