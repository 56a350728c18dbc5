// Package alarm keeps the alarms for operators. An alarm stays until its cause is
// over. An alarm whose origin an operator should investigate stays for good.
package alarm

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// most bounds the alarms kept: a flood of garbage is one fault.
const most = 100

// Kind is the kind of an alarm's subject.
type Kind int

// The kinds.
const (
	Record         Kind = iota // a record of the registry, by its path
	RecordVanished             // a record that vanished and was put back, by its path
	MoreMisnamed               // records that are ignored for their names, beyond those that have an alarm each
	ForeignLane                // a stream of a lane's name that somebody else made
	ForeignShared              // a stream of the hub's own names that somebody else made
	Deleted                    // a stream that somebody deleted
	Policy                     // the policy of an entity that cannot be applied
	Setting                    // a variable that hubs have different values of
)

// About identifies an alarm's subject. There is at most one alarm for a subject at a
// time.
type About struct {
	Kind Kind
	Name string
}

// String is the subject's name in the log.
func (a About) String() string {
	switch a.Kind {
	case RecordVanished:
		return a.Name + " vanished"
	case MoreMisnamed:
		return "more misnamed records"
	case ForeignLane:
		return "foreign stream " + a.Name
	case ForeignShared:
		return "stream " + a.Name + " is foreign"
	case Deleted:
		return "stream " + a.Name + " deleted"
	case Policy:
		return "policy of " + a.Name
	case Setting:
		return a.Name
	case Record:
	}
	return a.Name
}

// Set is the alarms of one hub. Each is logged when it is raised first. It may be used
// concurrently.
type Set struct {
	log *slog.Logger

	mu   sync.Mutex // guards text
	text map[About]string
}

// New makes an empty Set.
func New(log *slog.Logger) *Set { return &Set{log: log, text: make(map[About]string)} }

// Raise raises an alarm, or changes its text.
func (s *Set) Raise(about About, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text[about] == text || len(s.text) >= most {
		return
	}
	s.text[about] = text
	s.log.Error("alarm", "about", about.String(), "text", text)
}

// Of returns the texts of the alarms of a kind, sorted.
func (s *Set) Of(kind Kind) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for about, text := range s.text {
		if about.Kind == kind {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return texts
}

// StreamDeleted raises an alarm that stays: somebody should find out who deletes
// streams.
func (s *Set) StreamDeleted(stream, text string) { s.Raise(About{Deleted, stream}, text) }

// Clear removes an alarm whose cause is over.
func (s *Set) Clear(about About) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.text, about)
}

// ClearKind removes the alarms of a kind, except those about the names to keep.
func (s *Set) ClearKind(kind Kind, keep func(name string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.text, func(about About, _ string) bool { return about.Kind == kind && !keep(about.Name) })
}

// Texts returns the alarms' texts, in the order of their subjects.
func (s *Set) Texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	abouts := slices.SortedFunc(maps.Keys(s.text), func(a, b About) int { return strings.Compare(a.String(), b.String()) })
	texts := make([]string, 0, len(abouts))
	for _, about := range abouts {
		texts = append(texts, s.text[about])
	}
	return texts
}
