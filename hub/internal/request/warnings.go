package request

import (
	"fmt"
	"strings"

	"github.com/replhub/replhub/hub/internal/match"
)

// The bounds of a reply's warnings: one interest has one, of a length that can
// be read.
const (
	maxWarnings     = 20
	maxWarningReads = 5
)

// Warnings describes parts of a request that are allowed and probably not intended: a
// filter that makes a dead letter of each event that lacks a member which the filter
// reads. It is never nil.
func (r Request) Warnings() []string {
	texts := []string{}
	more := 0
	for _, w := range r.Wants {
		switch {
		case len(w.Unguarded) == 0:
		case len(texts) == maxWarnings:
			more++
		default:
			texts = append(texts, UnguardedWarning(w.Def.Entity, w.Unguarded))
		}
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("and so do the filters of %d more entities", more))
	}
	return texts
}

// UnguardedWarning names the members that the filter on an entity reads and an event
// may lack.
func UnguardedWarning(entity string, reads []match.Read) string {
	names := make([]string, 0, maxWarningReads)
	for _, read := range reads[:min(len(reads), maxWarningReads)] {
		names = append(names, Clip(read.Name))
	}
	text := strings.Join(names, ", ")
	if more := len(reads) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the filter on %s reads %s unguarded: an event without it is a dead letter; to have it left out instead, guard the read, as in %s && …",
		entity, text, Clip(reads[0].Guard))
}
