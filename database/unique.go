package database

import (
	"errors"
	"strings"
)

// IsUnique reports whether an error of the class [Waits] is about a value that
// another row has: a unique index, or an exclusion constraint of PostgreSQL. The
// other errors of that class are about foreign keys. Wrapped and joined errors are
// looked into, as by [Classify].
func IsUnique(err error) bool {
	unique := false
	walk(err, func(err error) bool {
		is, known := uniqueCode(err)
		unique = is
		return known
	})
	return unique || Classify(err) == Waits && saysUnique(err.Error())
}

// walk calls stop for an error and those that it wraps until it returns true.
func walk(err error, stop func(error) bool) bool {
	for err != nil {
		if stop(err) {
			return true
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range joined.Unwrap() {
				if walk(one, stop) {
					return true
				}
			}
			return false
		}
		err = errors.Unwrap(err)
	}
	return false
}

// uniqueCode tells by the code of a database's own error; known says that it has
// one.
func uniqueCode(err error) (unique, known bool) {
	if e, ok := err.(interface{ SQLState() string }); ok {
		return e.SQLState() == "23505" || e.SQLState() == "23P01", true
	}
	if number, ok := mariadbNumber(err); ok {
		switch number {
		case 1022, 1062, 1169, 1586, 1859:
			return true, true
		default:
			return false, true
		}
	}
	if code, ok := sqliteCode(err); ok && code != sqliteGeneric {
		const constraint, primaryKey, unique, rowid = 19, 6 << 8, 8 << 8, 10 << 8
		return code == constraint|primaryKey || code == constraint|unique || code == constraint|rowid, true
	}
	return false, false
}

// saysUnique tells by the words of an error that was wrapped without %w.
func saysUnique(text string) bool {
	for _, words := range []string{"SQLSTATE 23505", "SQLSTATE 23P01", "Error 1062"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
