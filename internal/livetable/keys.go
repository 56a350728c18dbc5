package livetable

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// key takes a key.
func (m Model) key(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	switch {
	case k.String() == "ctrl+c":
		return m, tea.Quit
	case k.String() == "ctrl+z":
		return m, tea.Suspend
	case m.filtering:
		return m.typed(k).placed(), nil
	case m.help:
		m.help = false
		return m, nil
	case k.String() == "q":
		return m, tea.Quit
	case k.String() == "?":
		m.help = true
		return m, nil
	case m.open != "":
		return m.openKey(k), nil
	}
	return m.listKey(k)
}

// typed takes a key of the filter.
func (m Model) typed(k tea.KeyPressMsg) Model {
	switch k.String() {
	case "enter":
		m.filtering = false
	case "esc":
		m.filtering, m.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-size]
	default:
		m.filter += m.cfg.Printable(k.Text)
	}
	return m
}

// listKey takes a key while the table is shown.
func (m Model) listKey(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	switch k.String() {
	case "s":
		m.by = (m.by + 1) % orders
	case "S":
		m.by = (m.by + orders - 1) % orders
	case "r":
		m.reversed = !m.reversed
	case "/":
		m.filtering = true
	case "esc":
		m.filter = ""
	case "enter", "right", "l":
		if rows := m.rows(); len(rows) > 0 {
			m.open, m.detail, m.scroll = rows[m.at(rows)].Service, Opened{}, 0
			return m, m.lookInto(m.open)
		}
	default:
		m = m.move(k.String())
	}
	return m.placed(), nil
}

// move moves the cursor.
func (m Model) move(key string) Model {
	rows := m.rows()
	to := step(key, m.at(rows), m.room(), len(rows))
	if len(rows) == 0 || to == m.at(rows) {
		return m
	}
	m.moved = true
	m.cursor = rows[min(max(to, 0), len(rows)-1)].Service
	return m
}

// step is where a key leads from a place among n.
func step(key string, at, page, n int) int {
	switch key {
	case "up", "k":
		return at - 1
	case "down", "j":
		return at + 1
	case "pgup", "ctrl+b":
		return at - page
	case "pgdown", "ctrl+f", "space":
		return at + page
	case "home", "g":
		return 0
	case "end", "G":
		return n - 1
	default:
		return at
	}
}

// openKey takes a key while one service is shown.
func (m Model) openKey(k tea.KeyPressMsg) Model {
	switch k.String() {
	case "esc", "left", "h", "backspace", "enter":
		m.open = ""
		return m.placed()
	}
	lines := len(m.detailLines())
	m.scroll = min(max(step(k.String(), m.scroll, m.room(), lines), 0), max(lines-m.room(), 0))
	return m
}

// helpLines explain the keys.
func helpLines() []string {
	return strings.Split(`
  enter        open the service: interests, queue, partitions, dead letters
  esc          back; end the filter
  s, S         sort by the next thing, by the one before
  r            reverse the order
  /            filter by service, state, reason or entity
  up, down     move (j, k; page up, page down, home, end)
  q            quit

  A rate counts the messages that the hub appends to the lane in a second.
  The curves have the last 16 looks.`, "\n")[1:]
}
