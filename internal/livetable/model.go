package livetable

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/replhub/replhub/internal/contract"
)

// Config says what the screen shows. Every field but Plain is required.
type Config struct {
	// Every is the time between two looks.
	Every time.Duration
	// Look asks for all services, and Open for one, with its lines as text for a width.
	Look func() Looked
	Open func(service string) Opened
	// Human makes text of ages in seconds, and Printable harmless text.
	Human     func(seconds float64) string
	Printable func(string) string
	// Plain leaves out colours.
	Plain bool
}

// Looked is an answer about all services, or an error.
type Looked struct {
	At       time.Time
	Services []contract.LaneStatus
	Err      error
	// Fatal says that no later look can be better.
	Fatal bool
}

// Opened is an answer about one service.
type Opened struct {
	Service string
	// Lines describe it for a terminal of a width.
	Lines func(width int) []string
	Err   error
}

// again asks for the next look.
type again struct{}

// Model is the state of the screen.
type Model struct {
	cfg           Config
	width, height int

	services  []contract.LaneStatus
	histories map[string]*history
	looked    time.Time // when the services were last seen
	now       time.Time
	err       error
	since     time.Time // of err
	fatal     error

	by        order
	reversed  bool
	filter    string
	filtering bool
	help      bool
	// cursor is the service that is marked: a name, because rows move. Until a person has
	// moved it, it is the first row.
	cursor string
	moved  bool
	top    int // the first row shown
	// open is the service that is shown alone, detail what is known of it, scroll its
	// first line.
	open   string
	detail Opened
	scroll int
}

// New makes a Model.
func New(cfg Config) Model {
	return Model{cfg: cfg, histories: map[string]*history{}}
}

// Err is why the program has ended by itself; nil if a person ended it.
func (m Model) Err() error { return m.fatal }

// Init implements tea.Model.
func (m Model) Init() tea.Cmd { return m.look() }

func (m Model) look() tea.Cmd { return func() tea.Msg { return m.cfg.Look() } }

func (m Model) lookInto(service string) tea.Cmd {
	return func() tea.Msg { return m.cfg.Open(service) }
}

// Update implements tea.Model.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case Looked:
		return m.take(msg)
	case again:
		if m.open != "" {
			return m, tea.Batch(m.look(), m.lookInto(m.open))
		}
		return m, m.look()
	case Opened:
		if msg.Service == m.open {
			m.detail = msg
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return m.placed(), nil
}

// take takes an answer, and plans the next look.
func (m Model) take(l Looked) (tea.Model, tea.Cmd) {
	m.now = l.At
	if l.Fatal {
		m.fatal = l.Err
		return m, tea.Quit
	}
	next := tea.Tick(m.cfg.Every, func(time.Time) tea.Msg { return again{} })
	if l.Err != nil {
		if m.err == nil {
			m.since = l.At
		}
		m.err = l.Err
		return m, next
	}
	m.err, m.services, m.looked = nil, l.Services, l.At
	histories := make(map[string]*history, len(l.Services)) // those that are gone are forgotten
	for i := range l.Services {
		s := &l.Services[i]
		h := &history{}
		if before := m.histories[s.Service]; before != nil {
			*h = *before
			h.rate, h.lag = slices.Clone(before.rate), slices.Clone(before.lag)
		}
		h.add(l.At, s)
		histories[s.Service] = h
	}
	m.histories = histories
	return m.placed(), next
}

// rows are the services as they are shown.
func (m Model) rows() []*contract.LaneStatus {
	return sorted(m.services, m.histories, m.filter, m.by, m.reversed, m.now)
}

// at is the row of the cursor, 0 if it is gone.
func (m Model) at(rows []*contract.LaneStatus) int {
	return max(slices.IndexFunc(rows, func(s *contract.LaneStatus) bool { return s.Service == m.cursor }), 0)
}

// placed moves the window so that the cursor is in it.
func (m Model) placed() Model {
	rows := m.rows()
	if len(rows) == 0 {
		m.top = 0
		return m
	}
	at := 0
	if m.moved {
		at = m.at(rows)
	}
	m.cursor = rows[at].Service
	room := m.room()
	m.top = min(max(m.top, at-room+1), at)
	m.top = max(min(m.top, len(rows)-room), 0)
	return m
}

// head and foot are the lines above and below the rows.
const head, foot = 2, 1

// room is how many rows there are on the screen.
func (m Model) room() int { return max(m.height-head-foot, 1) }
