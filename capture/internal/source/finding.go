package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replhub/replhub/capture/internal/selection"
)

// Finding is something that stands in the way of a capture, or that somebody should
// know before it begins.
type Finding struct {
	// Warning says that the capture works all the same.
	Warning bool `json:"warning,omitempty"`
	// About is what is meant: the server, a table, the slot.
	About string `json:"about"`
	// Message is what is wrong, and what to do.
	Message string `json:"message"`
	// Statements mend it, for a role that has the rights.
	Statements []string `json:"statements,omitempty"`

	table string // that it is about; empty where it is about more
}

// Findings are all that a check found.
type Findings []Finding

// Failed reports whether one of them stands in the way.
func (f Findings) Failed() bool {
	return slices.ContainsFunc(f, func(one Finding) bool { return !one.Warning })
}

// LeaveOut makes warnings of the findings about tables that a pattern matches and that
// the publication does not have yet, and returns these tables' names: a table that
// somebody made since the capture began does not end the capture.
func (f Findings) LeaveOut(w Wanted, c Catalog) (rest Findings, left map[string]bool) {
	left = map[string]bool{}
	if c.Publication == nil {
		return f, left
	}
	for _, t := range c.Tables {
		if !w.Selection.Named(t.Schema, t.Name) && !c.Publication.has(&t) {
			left[t.FullName()] = false
		}
	}
	for _, one := range f {
		if _, ok := left[one.table]; ok && !one.Warning {
			left[one.table], one.Warning = true, true
			one.Message = "it is not captured, and its changes are missing until the problem is solved: " + one.Message
		}
		rest = append(rest, one)
	}
	maps.DeleteFunc(left, func(_ string, out bool) bool { return !out })
	return rest, left
}

// String has a paragraph for each finding.
func (f Findings) String() string {
	var b strings.Builder
	for _, one := range f {
		level := "error"
		if one.Warning {
			level = "warning"
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", level, one.About, one.Message)
		for _, statement := range one.Statements {
			fmt.Fprintf(&b, "    %s\n", statement)
		}
	}
	return b.String()
}

// Wanted is what capture is to do.
type Wanted struct {
	Service                   string
	SlotName, PublicationName string
	Selection                 *selection.Selection
	// DeleteOutbox says that the rows of outboxes are deleted once their events are stored.
	DeleteOutbox bool
	// Resync says that the slot may be lost, or be missing, or be in use by the process
	// that this one takes over from.
	Resync bool
}

// Check says what stands in the way of a capture. It is pure.
func Check(w Wanted, c Catalog) Findings {
	k := checker{Wanted: w, Catalog: c}
	k.checkServer()
	k.checkNames()
	k.checkTables()
	k.checkOutboxes()
	k.checkPublication()
	k.checkSlot()
	return k.found
}

type checker struct {
	Wanted
	Catalog

	found Findings
}

func (k *checker) refuse(about, message string, statements ...string) {
	k.found = append(k.found, Finding{About: about, Message: message, Statements: statements})
}

func (k *checker) warn(about, message string) {
	k.found = append(k.found, Finding{Warning: true, About: about, Message: message})
}

// InPublication returns the tables that the publication has to have: those that are captured,
// and the outboxes.
func InPublication(s *selection.Selection, tables []Table) []Table {
	published, _ := Captured(s, tables)
	return append(published, Outboxes(s, tables)...)
}

// Outboxes returns the tables of the selection that are outboxes and can be captured.
func Outboxes(s *selection.Selection, tables []Table) (outboxes []Table) {
	for _, t := range tables {
		if s.Outbox(t.Schema, t.Name) != nil && t.capturable() {
			outboxes = append(outboxes, t)
		}
	}
	return outboxes
}

// capturable reports whether the log has the changes of a table under its name.
func (t *Table) capturable() bool {
	return t.Root == "" && t.Persistence == "p" && (t.Kind == "r" || t.Kind == "p")
}

// Captured returns the tables of the selection that can be captured, and the entity of
// each.
func Captured(s *selection.Selection, tables []Table) (captured []Table, entities []string) {
	for _, t := range tables {
		entity, ok := s.Entity(t.Schema, t.Name)
		if !ok || !t.capturable() {
			continue
		}
		captured, entities = append(captured, t), append(entities, entity)
	}
	return captured, entities
}
