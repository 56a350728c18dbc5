package main

import (
	"bytes"
	"io"
	"strings"
	"unicode"
)

const (
	// columnGap is the space between two columns.
	columnGap = 2
	// leastColumn is how narrow a column may become, in cells of the terminal.
	leastColumn = 4
	// leastWrapped is the least room for which a long value is wrapped.
	leastWrapped = 20
	// cutMark ends a text that was cut.
	cutMark = "…"
)

// table collects rows and prints them in columns. At a terminal it fits the
// width: a list is cut, the values of pairs go on in the next line.
type table struct {
	rows [][]string
	// wraps: the last column is wrapped, not cut.
	wraps bool
}

func newTable(head ...string) *table { return &table{rows: [][]string{head}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// pair adds a row of a name and its value, and nothing when there is no value.
func (t *table) pair(name, value string) {
	t.wraps = true
	if value != "" {
		t.row(name, value)
	}
}

func (t *table) print(w io.Writer) error {
	var out bytes.Buffer
	for _, line := range t.lines(columnsFor(w)) {
		out.WriteString(line)
		out.WriteByte('\n')
	}
	_, err := out.WriteTo(w)
	return err
}

// columnsFor is the width that what is written to w has to fit; 0 is any.
func columnsFor(w io.Writer) int {
	o, ok := w.(*output)
	if !ok {
		return 0
	}
	return o.columns()
}

// lines lays the table out for a terminal of a width in columns; 0 is any.
func (t *table) lines(columns int) []string {
	rows := make([][]string, len(t.rows))
	var widths []int
	for i, cells := range t.rows {
		rows[i] = make([]string, len(cells))
		for c, cell := range cells {
			rows[i][c] = printable(cell)
			if c == len(widths) {
				widths = append(widths, 0)
			}
			widths[c] = max(widths[c], textWidth(rows[i][c]))
		}
	}
	if columns > 0 {
		fitWidths(widths, columns, t.wraps)
	}
	var lines []string
	for _, cells := range rows {
		for _, line := range t.layOut(cells, widths) {
			lines = append(lines, cutLine(line, columns))
		}
	}
	return lines
}

// layOut makes the lines of one row: one, or more where its last cell wraps.
func (t *table) layOut(cells []string, widths []int) []string {
	last := len(cells) - 1
	var line strings.Builder
	indent := 0
	for c, cell := range cells {
		if c == last && t.wraps {
			break
		}
		cell = cutText(cell, widths[c])
		line.WriteString(cell)
		if c < last {
			line.WriteString(strings.Repeat(" ", widths[c]-textWidth(cell)+columnGap))
		}
		indent += widths[c] + columnGap
	}
	if !t.wraps || last < 0 {
		return []string{strings.TrimRight(line.String(), " ")}
	}
	parts := wrapText(cells[last], widths[last])
	lines := []string{strings.TrimRight(line.String()+parts[0], " ")}
	for _, part := range parts[1:] {
		lines = append(lines, strings.Repeat(" ", indent)+part)
	}
	return lines
}

// fitWidths narrows columns until they fit: the widest first, or the last alone
// where that is wrapped. In a terminal that is too narrow for all of it the
// lines are cut besides.
func fitWidths(widths []int, columns int, wraps bool) {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	if last := len(widths) - 1; wraps {
		room := columns - (total - widths[last])
		widths[last] = min(widths[last], max(room, leastWrapped))
		return
	}
	for ; total > columns; total-- {
		widest := 0
		for c, w := range widths {
			if w > widths[widest] {
				widest = c
			}
		}
		if widths[widest] <= leastColumn {
			return
		}
		widths[widest]--
	}
}

// cutLine cuts a line that is wider than the terminal; 0 columns is any width.
func cutLine(line string, columns int) string {
	if columns <= 0 {
		return line
	}
	return cutText(line, columns)
}

// cutText is a text of at most a number of cells.
func cutText(text string, cells int) string {
	if textWidth(text) <= cells {
		return text
	}
	width := 0
	for i, r := range text {
		if width+runeWidth(r) > cells-1 {
			return strings.TrimRight(text[:i], " ") + cutMark
		}
		width += runeWidth(r)
	}
	return text
}

// wrapText breaks a text into lines of at most a number of cells, at blanks where
// it can.
func wrapText(text string, cells int) []string {
	var lines []string
	for textWidth(text) > cells {
		end, blank, width := len(text), 0, 0
		for i, r := range text {
			if r == ' ' && i > 0 {
				blank = i
			}
			if width += runeWidth(r); width > cells {
				end = i
				break
			}
		}
		if blank > 0 {
			end = blank
		}
		if end == 0 {
			break // not even one letter fits
		}
		lines = append(lines, strings.TrimRight(text[:end], " "))
		text = strings.TrimLeft(text[end:], " ")
	}
	return append(lines, text)
}

func textWidth(text string) int {
	width := 0
	for _, r := range text {
		width += runeWidth(r)
	}
	return width
}

// runeWidth is how many cells of a terminal a letter takes: two in the scripts
// of East Asia and for pictures, none for a mark upon the letter before.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	default:
		return 1
	}
}

// printTo prints through a buffer that fits what out fits, so that it appears at
// once.
func printTo(out io.Writer, before string, show func(io.Writer) error) error {
	screen := bytes.NewBufferString(before)
	columns := columnsFor(out)
	if err := show(&output{Writer: screen, closed: func() {}, columns: func() int { return columns }}); err != nil {
		return err
	}
	_, err := screen.WriteTo(out)
	return err
}
