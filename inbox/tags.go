package inbox

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// TableFor is i.NewTable with the columns of T, a struct, before those of
// cfg.Columns: each field with a tag `db:"email"` is a column of that name, and
// its JSON name is where it is in the payload. A struct field without the tag is
// looked into, so that
//
//	type User struct {
//		ID      string  `json:"id"    db:"id"`
//		Email   string  `json:"email" db:"email"`
//		Home    Address `json:"address"`
//	}
//	type Address struct {
//		City string `json:"city" db:"city"`
//	}
//
// takes "address.city" into the column city. The key's column, if it has a field,
// is filled with the delivery's key all the same. T's types are not looked at.
func TableFor[T any](i *Inbox, cfg TableConfig) (*Table, error) {
	columns, err := taggedColumns(reflect.TypeFor[T](), "", nil)
	if err != nil {
		return nil, fmt.Errorf("inbox table: %w", err)
	}
	key := cfg.Key
	if key == "" {
		key = "id"
	}
	kept := make([]Column, 0, len(columns)+len(cfg.Columns))
	for _, c := range columns {
		if c.Name != key {
			kept = append(kept, c)
		}
	}
	cfg.Columns = append(kept, cfg.Columns...)
	return i.NewTable(cfg)
}

// taggedColumns walks t, whose fields are at prefix in the payload. outer are
// the types around it.
func taggedColumns(t reflect.Type, prefix string, outer []reflect.Type) ([]Column, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("type %s: must be a struct", t)
	}
	if slices.Contains(outer, t) {
		return nil, nil // a type within itself has columns once
	}
	outer = append(slices.Clip(outer), t)
	var columns []Column
	for field := range t.Fields() {
		column, tagged := field.Tag.Lookup("db")
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() && !field.Anonymous || column == "-" || name == "-" {
			continue
		}
		embedded := field.Anonymous && name == ""
		if name == "" {
			name = field.Name
		}
		column, _, _ = strings.Cut(column, ",")
		switch {
		case tagged && column == "":
			return nil, fmt.Errorf("field %s of %s: its db tag names no column", field.Name, t)
		case tagged:
			columns = append(columns, Column{Name: column, Path: prefix + name})
		case indirect(field.Type).Kind() == reflect.Struct:
			within := prefix + name + "."
			if embedded {
				within = prefix
			}
			inner, err := taggedColumns(field.Type, within, outer)
			if err != nil {
				return nil, err
			}
			columns = append(columns, inner...)
		}
	}
	return columns, nil
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
