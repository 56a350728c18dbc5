package database

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
