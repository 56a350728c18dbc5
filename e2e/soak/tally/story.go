package tally

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxStory bounds the lines that are kept of one service.
	maxStory = 4096
	// aroundTime is how far from an event lines are shown.
	aroundTime = 3 * time.Second
	// maxAround bounds how many lines are shown.
	maxAround = 16
)

// Story is what was done to services and servers, for the examples of faults. It
// may be used concurrently.
type Story struct {
	mu    sync.Mutex // guards the rest
	began time.Time
	lines map[string][]line
}

type line struct {
	at   time.Time
	text string
}

// NewStory begins a story.
func NewStory() *Story { return &Story{began: time.Now(), lines: make(map[string][]line)} }

// Tell notes what was done to a service, or to everybody when it is empty.
func (s *Story) Tell(service, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[service] = append(s.lines[service], line{at: time.Now(), text: fmt.Sprintf(format, args...)})
	if over := len(s.lines[service]) - maxStory; over > 0 {
		s.lines[service] = s.lines[service][over:]
	}
}

// Around is what was done to a service and to everybody shortly before and after
// a time.
func (s *Story) Around(service string, at time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []string
	for _, whose := range []string{service, ""} {
		for _, l := range s.lines[whose] {
			if d := l.at.Sub(at); d > -aroundTime && d < aroundTime && len(shown) < maxAround {
				shown = append(shown, fmt.Sprintf("%+.1fs %s %s", d.Seconds(), whose, l.text))
			}
		}
	}
	return shown
}
