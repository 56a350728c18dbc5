package lanes

import (
	"maps"
	"slices"
	"sync"

	"github.com/replhub/replhub/subjects"
)

// Part is a part of a lane that may be lacking.
type Part int

// The parts of a lane.
const (
	Stream Part = iota
	Consumers
	// Deliveries lack if the server delivers none by a consumer that could.
	Deliveries
)

// Lacking describes the lanes whose stream or consumers are missing or do not work. The zero value
// is ready, and may be used concurrently.
type Lacking struct {
	mu   sync.Mutex // guards text
	text map[part]string
}

type part struct {
	service subjects.Name
	part    Part
}

// Set notes a description of a missing part.
func (l *Lacking) Set(service subjects.Name, of Part, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == nil {
		l.text = make(map[part]string)
	}
	l.text[part{service, of}] = text
}

// Clear notes that a part exists, or is no longer needed.
func (l *Lacking) Clear(service subjects.Name, of Part) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.text, part{service, of})
}

// Lacks reports whether a lane lacks a part.
func (l *Lacking) Lacks(service subjects.Name, of Part) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, lacks := l.text[part{service, of}]
	return lacks
}

// Texts returns the descriptions, sorted.
func (l *Lacking) Texts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Values(l.text))
}
