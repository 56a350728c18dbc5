package inbox

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub/database"
)

// rowSource is what stands behind INSERT INTO t (…) for many rows. PostgreSQL is
// given one array of text for each column, so that the statement is the same
// however many rows there are; the others get a list of VALUES.
//
// casts are PostgreSQL's types of the columns. It reports false where a value has
// no text that is known here; the rows are then to be written one by one.
func rowSource(d database.Dialect, casts []string, rows [][]any) (source string, args []any, ok bool) {
	if d == database.Postgres {
		return arraySource(casts, rows)
	}
	line := "(" + d.Parameters(1, len(casts)) + ")"
	lines := make([]string, len(rows))
	args = make([]any, 0, len(rows)*len(casts))
	for i, row := range rows {
		lines[i] = line
		args = append(args, row...)
	}
	return "VALUES " + strings.Join(lines, ", "), args, true
}

func arraySource(casts []string, rows [][]any) (source string, args []any, ok bool) {
	var selected, arrays, names strings.Builder
	for n, cast := range casts {
		array, ok := columnText(rows, n)
		if !ok {
			return "", nil, false
		}
		args = append(args, array)
		if n > 0 {
			selected.WriteString(", ")
			arrays.WriteString(", ")
			names.WriteString(", ")
		}
		name := "c" + strconv.Itoa(n+1)
		selected.WriteString("v." + name + "::" + cast)
		arrays.WriteString("$" + strconv.Itoa(n+1) + "::text::text[]")
		names.WriteString(name)
	}
	return "SELECT " + selected.String() + " FROM unnest(" + arrays.String() + ") AS v(" + names.String() + ")", args, true
}

// columnText is the array of text of rows' n-th values; a row that is shorter has
// NULL there.
func columnText(rows [][]any, n int) (string, bool) {
	return textArray(len(rows), func(b []byte, i int) ([]byte, bool) {
		if n >= len(rows[i]) {
			return append(b, "NULL"...), true
		}
		return appendElement(b, rows[i][n])
	})
}

// arrayText is an array of text as PostgreSQL reads it.
func arrayText(values []any) (string, bool) {
	return textArray(len(values), func(b []byte, i int) ([]byte, bool) { return appendElement(b, values[i]) })
}

// textArray is an array of n elements, each of which is appended by a function.
func textArray(n int, element func(b []byte, i int) ([]byte, bool)) (string, bool) {
	b := make([]byte, 0, 2+16*n)
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = element(b, i); !ok {
			return "", false
		}
	}
	return string(append(b, '}')), true
}

// appendElement appends a value as an element of an array.
func appendElement(b []byte, value any) ([]byte, bool) {
	switch v := value.(type) {
	case nil:
		return append(b, "NULL"...), true
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case bool:
		return strconv.AppendBool(b, v), true
	case []byte:
		b = append(b, `"\\x`...)
		return append(hex.AppendEncode(b, v), '"'), true
	}
	text, ok := valueText(value)
	if !ok {
		return b, false
	}
	b = append(b, '"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, '"'), true
}

// valueText is a value as PostgreSQL reads it from text.
func valueText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return `\x` + hex.EncodeToString(v), true
	case json.RawMessage:
		return string(v), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case time.Time:
		return v.Format("2006-01-02 15:04:05.999999999Z07:00"), true
	case driver.Valuer:
		given, err := v.Value()
		if _, again := given.(driver.Valuer); err != nil || again || given == nil {
			return "", false
		}
		return valueText(given)
	default:
		return "", false
	}
}
