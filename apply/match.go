package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// matched is how a table's columns meet an entity's rows.
type matched struct {
	spec  Table
	table inbox.TableConfig
	// fields are the paths of the interest: what columns take, and no more.
	fields []string
}

// maxFields is how many fields an interest can have; a table with more columns gets
// whole rows.
const maxFields = 256

// match finds the member for each column of a table. Pure.
func match(d database.Dialect, spec Table, columns []inbox.TableColumn) (matched, []string) {
	var f FindingsError
	key := keyColumn(d, spec, columns, &f)
	m := matched{spec: spec, table: inbox.TableConfig{Table: spec.Table, Key: key}}
	known := func(name string) bool {
		return slices.ContainsFunc(columns, func(c inbox.TableColumn) bool { return sameName(d, c.Name, name) })
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Columns)) {
		if !known(name) {
			f.addf("table %s has no column %q for %s.%s; it has %s", spec.Table, name, spec.Entity, spec.Columns[name], listed(columns))
		}
	}
	for _, name := range spec.Ignore {
		if !known(name) {
			f.addf("table %s has no column %q to ignore; it has %s", spec.Table, name, listed(columns))
		}
	}
	for _, c := range columns {
		ignored := slices.ContainsFunc(spec.Ignore, func(name string) bool { return sameName(d, name, c.Name) })
		path, mapped := mappedPath(d, spec, c.Name)
		switch {
		case sameName(d, c.Name, key), ignored, c.Generated && !mapped:
		case mapped:
			m.table.Columns = append(m.table.Columns, inbox.Column{Name: c.Name, Path: path})
		case strings.Contains(c.Name, "."):
			f.addf("table %s: the name of column %q has a dot, so it cannot be found by name: add --map %s.<path>=%s, or leave it alone with --ignore %s.%s",
				spec.Table, c.Name, spec.Entity, c.Name, spec.Entity, c.Name)
		default:
			m.table.Columns = append(m.table.Columns, inbox.Column{Name: c.Name, Path: c.Name})
		}
	}
	if len(m.table.Columns) == 0 && len(f.All) == 0 {
		f.addf("table %s has no column beside its key %s: there is nothing to replicate", spec.Table, key)
	}
	m.fields = fieldsOf(m.table.Columns)
	return m, f.All
}

func mappedPath(d database.Dialect, spec Table, column string) (string, bool) {
	for name, path := range spec.Columns {
		if sameName(d, name, column) {
			return path, true
		}
	}
	return "", false
}

// keyColumn is the column of the event's key: the one that is named, else the primary
// key.
func keyColumn(d database.Dialect, spec Table, columns []inbox.TableColumn, f *FindingsError) string {
	var primary []string
	for _, c := range columns {
		switch {
		case spec.Key == "" && c.Primary:
			primary = append(primary, c.Name)
		case spec.Key != "" && sameName(d, c.Name, spec.Key):
			if c.KeyProblem != "" {
				f.addf("table %s: %s", spec.Table, c.KeyProblem)
			}
			return c.Name
		}
	}
	switch {
	case spec.Key != "":
		f.addf("table %s has no column %q for the key; it has %s", spec.Table, spec.Key, listed(columns))
		return spec.Key
	case len(primary) == 1:
		for _, c := range columns {
			if c.Name == primary[0] && c.KeyProblem != "" {
				f.addf("table %s: %s", spec.Table, c.KeyProblem)
			}
		}
		return primary[0]
	case len(primary) == 0:
		f.addf("table %s has no primary key: name the column of the entity's key with --key %s=<column>; it must be unique and is one of %s",
			spec.Table, spec.Entity, listed(columns))
	default:
		f.addf("table %s has a primary key of several columns (%s), and an event has one key: name a column that is unique by itself with --key %s=<column>",
			spec.Table, strings.Join(primary, ", "), spec.Entity)
	}
	return ""
}

// sameName: names of PostgreSQL are as written, those of the others in any letter case.
func sameName(d database.Dialect, a, b string) bool {
	return a == b || d != database.Postgres && strings.EqualFold(a, b)
}

// listed names columns, some of many.
func listed(columns []inbox.TableColumn) string {
	const most = 20
	names := make([]string, 0, min(len(columns), most)+1)
	for i, c := range columns {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(columns)-most))
			break
		}
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// fieldsOf are the fewest paths that have all that columns take: one that lies below
// another is in that one. None means whole rows.
func fieldsOf(columns []inbox.Column) []string {
	paths := make([]string, 0, len(columns))
	for _, c := range columns {
		paths = append(paths, c.Path)
	}
	slices.Sort(paths)
	var fields []string
	for _, p := range slices.Compact(paths) {
		if !slices.ContainsFunc(paths, func(above string) bool { return strings.HasPrefix(p, above+".") }) {
			// A column's path knows no escapes, a field does.
			fields = append(fields, strings.ReplaceAll(p, `\`, `\\`))
		}
	}
	if len(fields) > maxFields {
		return nil
	}
	return fields
}

// covers reports whether an interest's fields have all that others have; no fields are
// whole rows.
func covers(have, want []string) bool {
	if len(have) == 0 {
		return true
	}
	if len(want) == 0 {
		return false
	}
	return !slices.ContainsFunc(want, func(w string) bool {
		return !slices.ContainsFunc(have, func(h string) bool { return h == w || strings.HasPrefix(w, h+".") })
	})
}
