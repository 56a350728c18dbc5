package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/replhub/replhub/database"
)

// column is a Column, made ready.
type column struct {
	Column
	path  []string
	store func(value any) (any, error)
}

func newColumn(d database.Dialect, c Column) column {
	if c.Path == "" {
		c.Path = c.Name
	}
	store := c.Convert
	if store == nil {
		store = func(value any) (any, error) { return storable(d, value) }
	}
	return column{Column: c, path: strings.Split(c.Path, "."), store: store}
}

// values appends to row what the columns get of payload, an object as JSON.
func (t *Table) values(payload []byte, row []any) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber() // a float64 would round large integers
	var entity map[string]any
	if err := dec.Decode(&entity); err != nil {
		return nil, fmt.Errorf("payload as JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("payload as JSON: more than one value")
	}
	if entity == nil {
		return nil, errors.New("payload as JSON: null is no entity")
	}
	for _, c := range t.columns {
		value, err := c.value(entity)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		row = append(row, value)
	}
	return row, nil
}

func (c column) value(entity map[string]any) (any, error) {
	var at any = entity
	for _, name := range c.path {
		object, ok := at.(map[string]any)
		if !ok {
			return c.Default, nil
		}
		if at, ok = object[name]; !ok {
			return c.Default, nil
		}
	}
	return c.store(at)
}

// storable is how a JSON value is given to the database. PostgreSQL is given text,
// which it reads as whatever the column's type is; the others convert numbers
// and bools, but would keep their text in a column without a type.
func storable(d database.Dialect, value any) (any, error) {
	switch v := value.(type) {
	case nil, string:
		return v, nil
	case bool:
		if d == database.Postgres {
			return strconv.FormatBool(v), nil
		}
		return v, nil
	case json.Number:
		if d == database.SQLite {
			return sqliteNumber(v), nil
		}
		return v.String(), nil
	default:
		return jsonText(v)
	}
}

// sqliteNumber is n as a number if it is one of SQLite's, else its text.
func sqliteNumber(n json.Number) any {
	if whole, err := n.Int64(); err == nil {
		return whole
	}
	// Only what comes back as it was: a decimal with more digits stays text.
	if float, err := n.Float64(); err == nil && strconv.FormatFloat(float, 'f', -1, 64) == n.String() {
		return float
	}
	return n.String()
}

// jsonText is v as compact JSON, with the characters as they came.
func jsonText(v any) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
