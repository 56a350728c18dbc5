package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// printJSON prints a JSON text indented and otherwise as it is; on one line if the command
// prints lines.
func (a *app) printJSON(text json.RawMessage) error {
	var out bytes.Buffer
	form := func() error { return json.Indent(&out, text, "", "  ") }
	if a.lines {
		form = func() error { return json.Compact(&out, text) }
	}
	if err := form(); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(a.out)
	return err
}

// printValue prints a value of this command's own as indented JSON.
func (a *app) printValue(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return a.printJSON(text)
}

// printLine prints a value of this command's own as JSON on one line.
func (a *app) printLine(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", text)
	return err
}

// printTables prints tables with a blank line between them.
func printTables(w io.Writer, tables ...*table) error {
	tables = slices.DeleteFunc(tables, func(t *table) bool { return t == nil })
	for i, t := range tables {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := t.print(w); err != nil {
			return err
		}
	}
	return nil
}

// printableLines is printable for a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// printable keeps text from others, such as a header of an event, from
// steering the terminal or breaking the table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
