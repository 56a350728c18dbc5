package database

import (
	"reflect"
	"strings"
)

// The drivers' errors are recognised without importing a driver, which is the
// service's own choice.

// packageOf reports whether an error's type is of a package whose path contains
// name.
func packageOf(err error, name string) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.Contains(t.PkgPath(), name)
}

// mariadbNumber is the number of an error as go-sql-driver/mysql has it:
// a *MySQLError with a field Number.
func mariadbNumber(err error) (number int, ok bool) {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct || v.Type().Name() != "MySQLError" {
		return 0, false
	}
	return integer(v.FieldByName("Number"))
}

// sqliteCode is the extended code of an error of a package for SQLite: it has a
// method or field ExtendedCode, or one Code that is extended.
func sqliteCode(err error) (code int, ok bool) {
	if !packageOf(err, "sqlite") {
		return 0, false
	}
	v := reflect.ValueOf(err)
	for _, name := range []string{"ExtendedCode", "Code"} {
		if m := v.MethodByName(name); m.IsValid() && m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			return integer(m.Call(nil)[0])
		}
		if s := reflect.Indirect(v); s.Kind() == reflect.Struct {
			if code, ok = integer(s.FieldByName(name)); ok {
				return code, true
			}
		}
	}
	return 0, false
}

func integer(v reflect.Value) (n int, ok bool) {
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanInt():
		return int(v.Int()), true
	case v.CanUint():
		return int(v.Uint()), true //nolint:gosec // codes are small
	default:
		return 0, false
	}
}
