package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// column is a Column, made ready.
type column struct {
	Column

	path []string
}

func newColumn(c Column) (column, error) {
	if c.Path == "" {
		c.Path = c.Name
	}
	path := strings.Split(c.Path, ".")
	if slices.Contains(path, "") {
		return column{}, fmt.Errorf("column %q: path %q has an empty level", c.Name, c.Path)
	}
	return column{Column: c, path: path}, nil
}

// change is what a delivery makes of a table's row.
type change struct {
	entity string
	// row is what the key's column and the others get, in their order; of a delete
	// the key alone.
	row []any
	// unmapped and missing are told once the change is made.
	unmapped []string
	missing  []int
}

// changeOf decides what d makes of its row, by the types in s.
func (t *Table) changeOf(s *shape, d *replhub.Delivery) (change, error) {
	key := t.inbox.cfg.Key(d)
	if key == "" {
		return change{}, fmt.Errorf("table %s: %w", t.cfg.Table, ErrNoKey)
	}
	refused := refusal{ValueError{Table: t.cfg.Table, Entity: d.Entity, Key: shown(key)}}
	stored, err := s.key.storeKey(key)
	if err != nil {
		return change{}, refused.of(s.key, fmt.Sprintf("%q", shown(key)), err)
	}
	if d.Op == replhub.Delete {
		return change{entity: d.Entity, row: []any{stored}}, nil
	}
	f, err := t.paths.look(d.Data, len(t.columns))
	if err != nil {
		return change{}, refused.of(boundColumn{}, "", err)
	}
	c := change{entity: d.Entity, row: make([]any, 1, len(t.columns)+1), unmapped: f.unmapped}
	c.row[0] = stored
	for n, column := range t.columns {
		value, missing, err := column.value(s.columns[n], f, n)
		if err != nil {
			return change{}, refused.of(s.columns[n], shown(string(f.members[n])), err)
		}
		if missing {
			c.missing = append(c.missing, n)
		}
		c.row = append(c.row, value)
	}
	return c, nil
}

// storeKey is what the key's column gets.
func (b boundColumn) storeKey(key string) (any, error) {
	r, ok := b.rule.(keyRule)
	switch {
	case !contract.ValidKey(key):
		return nil, errNotAKey
	case !ok:
		return nil, errUnknownType // which newShape has refused before
	default:
		return r.key(key)
	}
}

// refusal makes errors about one delivery.
type refusal struct{ about ValueError }

func (r refusal) of(b boundColumn, value string, err error) error {
	e := r.about
	e.Column, e.Type, e.Value, e.Reason, e.Err = b.name, b.typeName, value, err.Error(), err
	return &e
}

// value is what the n-th column gets of a payload, and whether its member is
// missing there.
func (c column) value(b boundColumn, f found, n int) (value any, missing bool, err error) {
	raw := f.members[n]
	switch {
	case raw != nil:
		value, err = c.store(b, newJSONValue(raw))
	case f.blocked != nil && f.blocked[n] != nil:
		return nil, false, f.blocked[n]
	default:
		value, missing = c.Default, f.unset == nil || !f.unset[n]
	}
	if err == nil && value == nil && b.notNull {
		if raw == nil {
			err = fmt.Errorf("the payload has no member %q, and the column is NOT NULL: give the Column a Default, or let the column be NULL", c.Path)
		} else {
			err = errors.New("it is null, and the column is NOT NULL: give the Column a Convert function, or let the column be NULL")
		}
	}
	return value, missing, err
}

func (c column) store(b boundColumn, v jsonValue) (any, error) {
	if c.Convert != nil {
		given, err := v.decoded()
		if err != nil {
			return nil, err
		}
		converted, err := c.Convert(given)
		if err != nil {
			return nil, err
		}
		raw, ok := converted.(json.RawMessage)
		if !ok {
			return converted, nil
		}
		if !json.Valid(raw) {
			return nil, fmt.Errorf("its Convert function returned a json.RawMessage that is no JSON: %s", shown(string(raw)))
		}
		v = newJSONValue(bytes.TrimSpace(raw))
	}
	return ruled(b.rule, v)
}

// ruled is what a rule makes of any value: a null is NULL, and what is no text is
// refused whatever the column is.
func ruled(r rule, v jsonValue) (any, error) {
	switch {
	case v.kind == jsonNull:
		return nil, nil
	case v.kind == jsonString && !v.exact:
		return nil, errInexactText
	default:
		return r.store(v)
	}
}
