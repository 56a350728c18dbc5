package inbox_test

import (
	"testing"

	"github.com/replhub/replhub/database"
)

// times is a number of repetitions: few in the gate, more at length.
func times(few, more int) int {
	if lengthy {
		return more
	}
	return few
}

// onFew runs test on every dialect as databases are by default, and at length as onEach
// does: for tests that are slow, and in which transactions do not meet.
func onFew(t *testing.T, test func(t *testing.T, dialect database.Dialect)) {
	t.Helper()
	if lengthy {
		onEach(t, test)
		return
	}
	for _, dialect := range []database.Dialect{database.Postgres, database.MariaDB, database.SQLite} {
		t.Run(dialect.String(), func(t *testing.T) { test(t, dialect) })
	}
}
