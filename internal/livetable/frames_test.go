package livetable

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/contract"
)

var update = flag.Bool("update", false, "write the golden files")

// screen is a Model to which a test plays.
type screen struct {
	t     *testing.T
	m     Model
	now   time.Time
	seq   map[string]uint64
	asked []string
}

func newScreen(t *testing.T, width, height int) *screen {
	t.Helper()
	s := &screen{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), seq: map[string]uint64{}}
	s.m = New(Config{
		Every: time.Second, Plain: true, Printable: func(text string) string { return text },
		Human: func(seconds float64) string { return (time.Duration(seconds) * time.Second).String() },
		Look:  func() Looked { return Looked{} },
		Open: func(service string) Opened {
			s.asked = append(s.asked, service)
			return Opened{Service: service, Lines: func(width int) []string {
				return []string{fmt.Sprintf("%s for %d columns", service, width), "its dead letters"}
			}}
		},
	})
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

func (s *screen) send(msg tea.Msg) tea.Cmd {
	s.t.Helper()
	next, cmd := s.m.Update(msg)
	s.m = next.(Model)
	return cmd
}

// key plays keys, and the answer to what they ask.
func (s *screen) key(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		if code, special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "end": tea.KeyEnd, "backspace": tea.KeyBackspace}[k]; special {
			msg = tea.KeyPressMsg{Code: code}
		}
		if cmd := s.send(msg); cmd != nil && s.m.open != "" {
			s.send(cmd())
		}
	}
}

// see shows services a second later, each with some more copies.
func (s *screen) see(more uint64, services ...contract.LaneStatus) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	for i := range services {
		s.seq[services[i].Service] += more * uint64(i+1)
		services[i].LastSeq = s.seq[services[i].Service]
	}
	s.send(Looked{At: s.now, Services: services})
}

func (s *screen) golden(name string) {
	s.t.Helper()
	got := s.m.frame() + "\n"
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if len(lines) != s.m.height {
		s.t.Errorf("%s: %d lines on a screen of %d", name, len(lines), s.m.height)
	}
	for _, line := range lines {
		if w := ansi.StringWidth(line); w > s.m.width {
			s.t.Errorf("%s: %d columns on a screen of %d: %q", name, w, s.m.width, line)
		}
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// five services, one of each kind of trouble.
func five() []contract.LaneStatus {
	return []contract.LaneStatus{
		{Service: "application", State: contract.LaneLive},
		{Service: "audit", State: contract.LaneLive, Backlog: 12, OldestUnacked: 90},
		{Service: "billing", State: contract.LaneDetached, Reason: "it has missed events: register it again"},
		{Service: "search", State: contract.LaneLive, DeadLetters: 3},
		{Service: "sharing", State: contract.LaneBehind, Lag: 1234, LagSeconds: 4, Interests: []contract.InterestStatus{{Entity: "tenant"}}},
	}
}

func TestFrames(t *testing.T) {
	s := newScreen(t, 120, 12)
	s.golden("before")
	for _, more := range []uint64{0, 10, 40, 5} {
		s.see(more, five()...)
	}
	s.golden("trouble-first")
	s.key("down", "s")
	s.golden("by-name")
	s.key("r", "s", "s", "s")
	s.golden("by-rate-reversed")
	s.key("r", "/", "t", "e", "n", "x", "backspace")
	s.golden("filter-typed")
	s.key("enter")
	s.golden("filtered")
	s.key("enter")
	s.golden("open")
	s.key("esc", "esc", "?")
	s.golden("help")
	s.key("x")
	s.send(Looked{At: s.now.Add(time.Second), Err: errors.New("no hub answers")})
	s.send(Looked{At: s.now.Add(8 * time.Second), Err: errors.New("no hub answers")})
	s.golden("no-hub")
	s.see(1, five()[:1]...)
	s.golden("back")
	s.see(1)
	s.golden("no-service")
	s.send(tea.WindowSizeMsg{Width: 40, Height: 5})
	s.see(1, five()...)
	s.golden("narrow")
}

// Of a thousand services those around the cursor are shown, and the cursor stays on its
// service when the rows move.
func TestScrolls(t *testing.T) {
	many := make([]contract.LaneStatus, 1000)
	for i := range many {
		many[i] = contract.LaneStatus{Service: fmt.Sprintf("s%03d", i), State: contract.LaneLive}
	}
	s := newScreen(t, 80, 10)
	s.see(0, many...)
	s.key("end")
	if s.m.cursor != "s999" || !strings.Contains(s.m.frame(), "> s999") {
		t.Errorf("the end is %s:\n%s", s.m.cursor, s.m.frame())
	}
	many[999].State = contract.LaneStalled
	s.see(0, many...)
	if s.m.cursor != "s999" || s.m.top != 0 || !strings.Contains(s.m.frame(), "> s999") {
		t.Errorf("the cursor is at %s, the top at %d", s.m.cursor, s.m.top)
	}
	s.see(0, many[:10]...)
	if s.m.cursor != "s000" {
		t.Errorf("the cursor is at %s once its service is gone", s.m.cursor)
	}
}

// A refusal ends the program; a key that ends it is no error.
func TestEnds(t *testing.T) {
	s := newScreen(t, 80, 10)
	refused := errors.New("refused")
	if cmd := s.send(Looked{At: s.now, Err: refused, Fatal: true}); cmd == nil || cmd() != (tea.QuitMsg{}) || !errors.Is(s.m.Err(), refused) {
		t.Errorf("it goes on after a refusal, with %v", s.m.Err())
	}
	s = newScreen(t, 80, 10)
	if cmd := s.send(tea.KeyPressMsg{Text: "q", Code: 'q'}); cmd == nil || cmd() != (tea.QuitMsg{}) || s.m.Err() != nil {
		t.Errorf("q does not end it, or with %v", s.m.Err())
	}
	if cmd := s.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); cmd == nil || cmd() != (tea.QuitMsg{}) {
		t.Error("ctrl+c does not end it")
	}
}

func TestSparkline(t *testing.T) {
	for _, tt := range []struct {
		curve []float64
		want  string
	}{
		{nil, ""}, {[]float64{0, 0}, "▁▁"}, {[]float64{0, 1, 1000}, "▁▂█"}, {[]float64{5, 5}, "██"}, {[]float64{1, 2, 4, 8}, "▂▃▅█"},
	} {
		if got := strings.TrimLeft(sparkline(tt.curve), " "); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.curve, got, tt.want)
		}
	}
}
