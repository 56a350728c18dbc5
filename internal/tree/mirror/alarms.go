package mirror

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxAlarms bounds how many alarms one Findings keeps by name; the others are
// counted. A folder of a million strangers is one fault, not a million lines.
const maxAlarms = 64

// Findings is what one part of a map found wrong: a reason by path. The zero
// value is empty. Not safe for concurrent use.
type Findings struct {
	reasons map[string]string
	more    map[string]struct{}
}

// Add notes that path is wrong, and why.
func (f *Findings) Add(path, reason string) {
	if f.reasons == nil {
		f.reasons, f.more = map[string]string{}, map[string]struct{}{}
	}
	if _, known := f.reasons[path]; !known && len(f.reasons) >= maxAlarms {
		f.more[path] = struct{}{}
		return
	}
	f.reasons[path] = reason
}

// Has reports whether something is wrong with path.
func (f *Findings) Has(path string) bool {
	_, named := f.reasons[path]
	_, counted := f.more[path]
	return named || counted
}

// Drop forgets what was wrong with path.
func (f *Findings) Drop(path string) {
	delete(f.reasons, path)
	delete(f.more, path)
}

// DropUnder forgets what was wrong with path and everything below it.
func (f *Findings) DropUnder(path string) {
	under := func(p string) bool { return p == path || path == "" || strings.HasPrefix(p, path+"/") }
	maps.DeleteFunc(f.reasons, func(p, _ string) bool { return under(p) })
	maps.DeleteFunc(f.more, func(p string, _ struct{}) bool { return under(p) })
}

// Alarms holds the alarms that are up. Safe for concurrent use.
type Alarms struct {
	log *slog.Logger

	mu      sync.Mutex // guards below
	reasons map[string]map[string]string
	more    map[string]int
}

// NewAlarms logs each new alarm once to log.
func NewAlarms(log *slog.Logger) *Alarms {
	return &Alarms{log: log, reasons: map[string]map[string]string{}, more: map[string]int{}}
}

// Set replaces the alarms of one source by f, and logs those that are new.
func (a *Alarms) Set(source string, f Findings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.reasons[source]
	for path, reason := range f.reasons {
		if before[path] != reason {
			a.log.Warn("registry alarm", "path", path, "reason", reason)
		}
	}
	if len(f.more) > 0 && a.more[source] == 0 {
		a.log.Warn("registry alarms beyond the bound are only counted", "bound", maxAlarms)
	}
	a.reasons[source], a.more[source] = maps.Clone(f.reasons), len(f.more)
}

// List returns the alarms that are up, sorted, bounded in number.
func (a *Alarms) List() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	more := 0
	for source, reasons := range a.reasons {
		for path, reason := range reasons {
			list = append(list, fmt.Sprintf("%q: %s", path, reason))
		}
		more += a.more[source]
	}
	slices.Sort(list)
	if more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return list
}
