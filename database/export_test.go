package database

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Rows are the rows of a dialect's tables, as Code writes them.
func Rows(d Dialect) (rows []string) {
	switch d {
	case Postgres:
		rows = append(slices.Collect(maps.Keys(postgresStates)), slices.Collect(maps.Keys(postgresClasses))...)
	case MariaDB:
		for n := range mariadbNumbers {
			rows = append(rows, strconv.Itoa(n))
		}
	case SQLite:
		for n := range sqliteExtended {
			rows = append(rows, strconv.Itoa(n))
		}
		for n := range sqliteCodes {
			rows = append(rows, strconv.Itoa(n))
		}
	}
	slices.Sort(rows)
	return rows
}

// RowOf is the row of the tables that gives a code its class; empty if none does.
func RowOf(d Dialect, code string) string {
	for _, row := range []string{code, sqlitePrimary(d, code), code[:min(2, len(code))]} {
		if _, found := slices.BinarySearch(Rows(d), row); found && (len(row) == len(code) || d != MariaDB) {
			return row
		}
	}
	return ""
}

func sqlitePrimary(d Dialect, code string) string {
	if n, err := strconv.Atoi(code); err == nil && d == SQLite {
		return strconv.Itoa(n & 0xff)
	}
	return code
}

// Code is the code that a database gave an error; empty if none did.
func Code(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if e, ok := err.(interface{ SQLState() string }); ok {
			return e.SQLState()
		}
		if n, ok := mariadbNumber(err); ok {
			return strconv.Itoa(n)
		}
		if n, ok := sqliteCode(err); ok {
			return fmt.Sprint(n)
		}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range several.Unwrap() {
				if code := Code(one); code != "" {
					return code
				}
			}
			return ""
		}
	}
	return ""
}

// Parsed is what a statement of a Schema defines.
func Parsed(text string) string {
	s := parseStatement(text)
	parts := make([]string, 0, len(s.columns)+len(s.indexes))
	for _, c := range s.columns {
		parts = append(parts, c.name+"="+c.definition)
	}
	for _, i := range s.indexes {
		parts = append(parts, "index "+i.name+"="+i.definition)
	}
	return fmt.Sprintf("%s (%v, %s): %s", s.table.path, s.table.schema, s.table.name, strings.Join(parts, "; "))
}

// ParsedColumns are the columns of a table's statement.
func ParsedColumns(text string) []string {
	var all []string
	for _, c := range parseStatement(text).columns {
		all = append(all, c.name)
	}
	return all
}
