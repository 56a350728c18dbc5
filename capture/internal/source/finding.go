package source

import (
	"fmt"
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
}

// Findings are all that a check found.
type Findings []Finding

// Failed reports whether one of them stands in the way.
func (f Findings) Failed() bool {
	return slices.ContainsFunc(f, func(one Finding) bool { return !one.Warning })
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

func (k *checker) warn(about, message string, statements ...string) {
	k.found = append(k.found, Finding{Warning: true, About: about, Message: message, Statements: statements})
}

// Captured returns the tables of the selection that can be captured, and the entity of
// each.
func Captured(s *selection.Selection, tables []Table) (captured []Table, entities []string) {
	for _, t := range tables {
		entity, ok := s.Entity(t.Schema, t.Name)
		if !ok || t.Root != "" || t.Persistence != "p" || t.Kind != "r" && t.Kind != "p" {
			continue
		}
		captured, entities = append(captured, t), append(entities, entity)
	}
	return captured, entities
}
