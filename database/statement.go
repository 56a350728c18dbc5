package database

import (
	"strings"
	"unicode"
)

// statement is a statement of a Schema, and what it defines. One that creates neither
// a table nor an index has no table.
type statement struct {
	text    string
	table   tableName
	columns []part
	indexes []part
}

// part is a column or an index. An index by CREATE INDEX has no definition.
type part struct{ name, definition string }

// tableName is a table's name: its path as it is written, and the parts of that
// without their quotes. schema is nil where the path has none.
type tableName struct {
	path, name string
	schema     any
}

// parseStatement reads the statements of this module's packages:
//
//	CREATE TABLE IF NOT EXISTS table (column type …, PRIMARY KEY (…), INDEX name (…)) …
//	CREATE INDEX IF NOT EXISTS name ON table (…)
//
// The columns of a table stand in one place then: in the statement that creates it.
func parseStatement(text string) statement {
	s := statement{text: text}
	if rest, ok := strings.CutPrefix(text, "CREATE TABLE IF NOT EXISTS "); ok {
		path, rest := identifier(rest)
		s.table = newTableName(path)
		for _, item := range items(rest) {
			s.add(item)
		}
	}
	if rest, ok := strings.CutPrefix(text, "CREATE INDEX IF NOT EXISTS "); ok {
		name, rest := identifier(rest)
		path, _ := identifier(strings.TrimPrefix(strings.TrimSpace(rest), "ON "))
		s.table = newTableName(path)
		s.indexes = []part{{name: newTableName(name).name}}
	}
	return s
}

// add adds what stands between two commas of CREATE TABLE.
func (s *statement) add(item string) {
	first, rest := identifier(item)
	switch strings.ToUpper(first) {
	case "PRIMARY", "UNIQUE", "CHECK", "CONSTRAINT", "FOREIGN", "":
	case "INDEX", "KEY":
		name, _ := identifier(strings.TrimSpace(rest))
		s.indexes = append(s.indexes, part{newTableName(name).name, item})
	default:
		s.columns = append(s.columns, part{newTableName(first).name, item})
	}
}

func newTableName(path string) tableName {
	parts := split(path, '.')
	for n, one := range parts {
		if mark := one[:min(1, len(one))]; mark == `"` || mark == "`" {
			parts[n] = strings.ReplaceAll(strings.Trim(one, mark), mark+mark, mark)
		}
	}
	t := tableName{path: path, name: parts[len(parts)-1]}
	if len(parts) > 1 {
		t.schema = parts[0]
	}
	return t
}

// identifier takes a name, with its schema, off the beginning of a text.
func identifier(text string) (name, rest string) {
	end := outside(text, func(r rune, _ int) bool { return unicode.IsSpace(r) || r == '(' })
	return text[:end], text[end:]
}

// items are the parts between the commas of the first pair of parentheses.
func items(text string) []string {
	_, text, _ = strings.Cut(text, "(")
	text = text[:outside(text, func(r rune, depth int) bool { return r == ')' && depth == 0 })]
	all := split(text, ',')
	for n := range all {
		all[n] = strings.TrimSpace(all[n])
	}
	return all
}

// split cuts a text at each separator outside of quotes and parentheses.
func split(text string, separator rune) []string {
	var all []string
	for {
		end := outside(text, func(r rune, depth int) bool { return r == separator && depth == 0 })
		all = append(all, text[:end])
		if end == len(text) {
			return all
		}
		text = text[end+1:]
	}
}

// outside is the place of the first character outside of quotes that matches, or the
// text's length. depth is how many parentheses are open.
func outside(text string, matches func(r rune, depth int) bool) int {
	var quote rune
	depth := 0
	for n, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
			continue
		case matches(r, depth):
			return n
		case r == '"' || r == '`' || r == '\'':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			depth--
		}
	}
	return len(text)
}
