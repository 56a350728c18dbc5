package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// demoScreen shows who published and who got what, a line each. Its methods
// may be called concurrently.
type demoScreen struct {
	colour bool

	mu    sync.Mutex // guards the rest
	out   io.Writer
	taken map[string]map[string]int // events by service and instance
}

// newDemoScreen shows colours to a person only, and not to one who has set
// NO_COLOR.
func newDemoScreen(out io.Writer, terminal bool) *demoScreen {
	return &demoScreen{
		colour: terminal && os.Getenv("NO_COLOR") == "",
		out:    out,
		taken:  make(map[string]map[string]int),
	}
}

// Colours of a terminal: ECMA-48, "select graphic rendition".
const (
	colourOff       = "\x1b[0m"
	colourPublished = "\x1b[1m"
	colourTaken     = "\x1b[36m"
	colourOther     = "\x1b[32m"
)

func (s *demoScreen) sayf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line("", strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// publish publishes and shows it, in one: no copy is shown before its event.
func (s *demoScreen) publish(e demoChange, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	s.line(colourPublished, fmt.Sprintf("%-17s %-6s user %-3s %s", demoPublisher, e.op, e.key, e.payload))
	return nil
}

// took shows a copy as an instance of a service got it.
func (s *demoScreen) took(service string, instance int, subject, key string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[service] == nil {
		s.taken[service] = make(map[string]int)
	}
	name := fmt.Sprintf("%s/%d", service, instance)
	s.taken[service][name]++
	op := subject // sub.<service>.<entity>.<op>.<partition>
	if parts := strings.Split(subject, "."); len(parts) == 5 {
		op = parts[3]
	}
	colour := colourTaken
	if service != demoSubscribers()[0].name {
		colour = colourOther
	}
	s.line(colour, fmt.Sprintf("  > %-13s %-6s user %-3s %s", name, op, printable(key), printable(string(payload))))
}

func (s *demoScreen) line(colour, text string) {
	if s.colour && colour != "" {
		text = colour + text + colourOff
	}
	_, _ = fmt.Fprintln(s.out, text) // a screen that is gone is no reason to stop
}

// summary says who worked how much.
func (s *demoScreen) summary() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line("", "")
	for _, service := range slices.Sorted(maps.Keys(s.taken)) {
		total, shares := 0, make([]string, 0, len(s.taken[service]))
		for _, name := range slices.Sorted(maps.Keys(s.taken[service])) {
			n := s.taken[service][name]
			total += n
			shares = append(shares, fmt.Sprintf("%s %d", name, n))
		}
		s.line("", fmt.Sprintf("%s got %s: %s", service, plural(total, "event"), strings.Join(shares, ", ")))
	}
}
