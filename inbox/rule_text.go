package inbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// textRule is that of text columns: strings as they are; of all else, the JSON as
// it is written.
type textRule struct {
	// runes and bytes bound the text; 0 is no bound.
	runes, bytes int
	// nul says that a NUL may stand in it.
	nul bool
	// padded says that the database pads and strips blanks at the end: char(n).
	padded bool
	// repertoire tells the characters that the column has; nil is all.
	repertoire func(r rune) bool
	// width is how many bytes the column needs for a text; nil is those of UTF-8.
	width func(text string) int
}

func (t textRule) store(v jsonValue) (any, error) {
	text, err := textOf(v)
	if err != nil {
		return nil, err
	}
	if err := t.check(text); err != nil {
		return nil, err
	}
	return text, nil
}

func (t textRule) key(text string) (any, error) { return t.store(stringValue(text)) }

func (t textRule) check(text string) error {
	if !t.nul && strings.ContainsRune(text, 0) {
		return errors.New("it holds a NUL, which the database's text cannot")
	}
	if t.padded && strings.HasSuffix(text, " ") {
		return errors.New("it ends in a blank, which char(n) cannot distinguish from its padding; make the column varchar")
	}
	if t.repertoire != nil {
		for _, r := range text {
			if !t.repertoire(r) {
				return fmt.Errorf("the column's character set has no %q", r)
			}
		}
	}
	if n := utf8.RuneCountInString(text); t.runes > 0 && n > t.runes {
		return fmt.Errorf("it has %d characters, and the column takes %d", n, t.runes)
	}
	width := len(text)
	if t.width != nil {
		width = t.width(text)
	}
	if t.bytes > 0 && width > t.bytes {
		return fmt.Errorf("it has %d bytes, and the column takes %d", width, t.bytes)
	}
	return nil
}

// enumRule is that of enum types: a label, exactly.
type enumRule struct{ labels []string }

func (e enumRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "an enum")
	}
	if !v.exact || !slices.Contains(e.labels, v.text) {
		return nil, fmt.Errorf("it is not one of the labels %.200q", e.labels)
	}
	return v.text, nil
}

func (e enumRule) key(text string) (any, error) { return e.store(stringValue(text)) }

// setRule is that of MariaDB's set: labels with commas between, each once, in the
// order of the column's definition, which is the one that is read back.
type setRule struct{ labels []string }

func (s setRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a set")
	}
	if v.text == "" && v.exact {
		return "", nil
	}
	last := -1
	for label := range strings.SplitSeq(v.text, ",") {
		at := slices.Index(s.labels, label)
		if at <= last {
			return nil, fmt.Errorf("a set's value is labels of %.200q with commas between, each once and in this order", s.labels)
		}
		last = at
	}
	return v.text, nil
}

// boolRule is that of PostgreSQL's boolean.
type boolRule struct{}

func (boolRule) store(v jsonValue) (any, error) {
	if v.kind != jsonBool {
		return nil, refusedKind(v, "a boolean")
	}
	return string(v.raw), nil
}
