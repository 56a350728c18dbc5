package livetable

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/replhub/replhub/internal/contract"
)

// Colours, as commands of the terminal.
const (
	plain   = "\x1b[0m"
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	reverse = "\x1b[7m"
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
)

// paint colours a text.
func (m Model) paint(colour, text string) string {
	if m.cfg.Plain || colour == "" {
		return text
	}
	return colour + text + plain
}

// View implements tea.Model.
func (m Model) View() tea.View {
	v := tea.NewView(m.frame())
	v.AltScreen = true
	return v
}

// frame is the screen's text. It has at most as many lines as the terminal, and none is
// wider.
func (m Model) frame() string {
	if m.width == 0 || m.height == 0 {
		return ""
	}
	lines := []string{m.title()}
	switch {
	case m.help:
		lines = append(lines, helpLines()...)
	case m.open != "":
		lines = append(lines, m.shownDetail()...)
	default:
		lines = append(lines, m.table()...)
	}
	for len(lines) < m.height-foot {
		lines = append(lines, "")
	}
	lines = append(lines[:max(m.height-foot, 0)], m.footer())
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, "…")
	}
	return strings.Join(lines[:min(len(lines), m.height)], "\n")
}

// title is the first line: how many services there are, or what is wrong.
func (m Model) title() string {
	if m.err != nil {
		return m.paint(bold+red, fmt.Sprintf("no answer for %s: %s; looking again", m.cfg.Human(max(m.now.Sub(m.since).Seconds(), 1)), m.cfg.Printable(m.err.Error())))
	}
	if m.looked.IsZero() {
		return "looking for the services"
	}
	ill, rate := 0, 0.0
	for i := range m.services {
		if trouble(&m.services[i], m.now) > 0 {
			ill++
		}
		if h := m.histories[m.services[i].Service]; h != nil {
			rate += now(h.rate)
		}
	}
	return m.paint(bold, fmt.Sprintf("%d services, %d in trouble, %s copies/s", len(m.services), ill, short(rate)))
}

// footer names the keys, or the filter that is typed.
func (m Model) footer() string {
	switch {
	case m.filtering:
		return "/" + m.filter + "█"
	case m.help:
		return m.paint(dim, "any key goes back")
	case m.open != "":
		return m.paint(dim, "esc back  up/down scroll  ? help  q quit")
	}
	text := fmt.Sprintf("sorted by %s", m.by)
	if m.reversed {
		text += ", reversed"
	}
	if m.filter != "" {
		text += fmt.Sprintf("  filter %q", m.filter)
	}
	return m.paint(dim, text+"  s sort  r reverse  / filter  enter open  ? help  q quit")
}

// column is a column of the table.
type column struct {
	head  string
	width int
	right bool
	cell  func(m Model, s *contract.LaneStatus, h *history) string
	// least is how wide the terminal must be for it.
	least int
}

// columns are those of the table; the reason takes what is left.
func columns(longest int) []column {
	count := func(n uint64) string { return short(float64(n)) }
	return []column{
		{"SERVICE", min(max(longest, 7), 24), false, func(m Model, s *contract.LaneStatus, _ *history) string { return m.cfg.Printable(s.Service) }, 0},
		{"STATE", 12, false, func(m Model, s *contract.LaneStatus, _ *history) string { return m.cfg.Printable(s.State) }, 0},
		{"COPIES/S", 8, true, func(_ Model, _ *contract.LaneStatus, h *history) string { return short(now(h.rate)) }, 0},
		{"", points, false, func(_ Model, _ *contract.LaneStatus, h *history) string { return sparkline(h.rate) }, 90},
		{"LAG", 6, true, func(_ Model, s *contract.LaneStatus, _ *history) string { return count(s.Lag) }, 0},
		{"", points, false, func(_ Model, _ *contract.LaneStatus, h *history) string { return sparkline(h.lag) }, 110},
		{"BACKLOG", 7, true, func(_ Model, s *contract.LaneStatus, _ *history) string { return count(s.Backlog) }, 0},
		{"OLDEST", 7, true, func(m Model, s *contract.LaneStatus, _ *history) string { return m.cfg.Human(s.OldestUnacked) }, 60},
		{"DEAD", 5, true, func(_ Model, s *contract.LaneStatus, _ *history) string {
			if s.DeadLettersUnknown {
				return "?"
			}
			return count(s.DeadLetters)
		}, 60},
		{"REASON", 0, false, func(m Model, s *contract.LaneStatus, _ *history) string { return m.cfg.Printable(reason(s)) }, 80},
	}
}

// reason is why a lane is as it is, and else what its workers wait for.
func reason(s *contract.LaneStatus) string {
	switch {
	case s.Reason != "":
		return s.Reason
	case s.Fill != nil && s.Fill.Stalled != "":
		return s.Fill.Stalled
	case len(s.Unavailable) > 0:
		return "an instance waits: " + s.Unavailable[0].Error
	}
	for _, w := range s.Workers {
		if w.PausedUntil != nil {
			return "paused until " + w.PausedUntil.UTC().Format("15:04:05Z")
		}
	}
	if s.Fill != nil && s.Fill.OfRows() {
		return fmt.Sprintf("%d rows copied", s.Fill.Rows)
	}
	return ""
}

// short is a number in at most six letters.
func short(v float64) string {
	for _, unit := range []struct {
		above float64
		name  string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= unit.above {
			size := unit.above
			if unit.name == "k" {
				size = 1e3
			}
			return fmt.Sprintf("%.1f%s", v/size, unit.name)
		}
	}
	if v > 0 && v < 10 && v != float64(int(v)) {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// table is the head and the rows that fit.
func (m Model) table() []string {
	rows := m.rows()
	longest := 0
	for _, s := range rows {
		longest = max(longest, ansi.StringWidth(s.Service))
	}
	var shown []column
	for _, c := range columns(longest) {
		if m.width >= c.least {
			shown = append(shown, c)
		}
	}
	heads := make([]string, len(shown))
	for i, c := range shown {
		heads[i] = pad(c.head, c.width, c.right)
	}
	lines := []string{m.paint(dim, "  "+strings.TrimRight(strings.Join(heads, " "), " "))}
	if len(rows) == 0 && !m.looked.IsZero() {
		text := "no service is registered; see 'replhub register --help'"
		if m.filter != "" {
			text = "no service matches the filter"
		}
		return append(lines, text)
	}
	for i := m.top; i < len(rows) && i < m.top+m.room(); i++ {
		cells := make([]string, len(shown))
		h := m.histories[rows[i].Service]
		if h == nil {
			h = &history{}
		}
		for c, column := range shown {
			cells[c] = pad(column.cell(m, rows[i], h), column.width, column.right)
		}
		text := ansi.Truncate(strings.TrimRight(strings.Join(cells, " "), " "), max(m.width-2, 0), "…")
		lines = append(lines, m.row(text, rows[i]))
	}
	return lines
}

// row marks the row of the cursor, and colours those in trouble.
func (m Model) row(text string, s *contract.LaneStatus) string {
	colour := ""
	switch level := trouble(s, m.now); {
	case m.err != nil:
		colour = dim
	case level >= 3:
		colour = red
	case level > 0:
		colour = yellow
	}
	if s.Service == m.cursor {
		return m.paint(reverse+colour, "> "+text)
	}
	return m.paint(colour, "  "+text)
}

// pad fits a text into a column; 0 is any width.
func pad(text string, width int, right bool) string {
	if width == 0 {
		return text
	}
	text = ansi.Truncate(text, width, "…")
	space := strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
	if right {
		return space + text
	}
	return text + space
}

// detailLines describe the service that is open.
func (m Model) detailLines() []string {
	var lines []string
	if h := m.histories[m.open]; h != nil {
		lines = append(lines, fmt.Sprintf("copies/s  %s  %s", sparkline(h.rate), short(now(h.rate))), fmt.Sprintf("lag       %s  %s", sparkline(h.lag), short(now(h.lag))), "")
	} else {
		lines = append(lines, m.paint(red, "the service is gone"), "")
	}
	switch {
	case m.detail.Err != nil:
		return append(lines, m.paint(red, m.cfg.Printable(m.detail.Err.Error())))
	case m.detail.Lines == nil:
		return append(lines, "looking")
	}
	return append(lines, m.detail.Lines(m.width)...)
}

// shownDetail are the lines that fit.
func (m Model) shownDetail() []string {
	lines := m.detailLines()
	from := min(m.scroll, max(len(lines)-m.room(), 0))
	return append([]string{m.paint(bold, m.cfg.Printable(m.open))}, lines[from:min(from+m.room(), len(lines))]...)
}
