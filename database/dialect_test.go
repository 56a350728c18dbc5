package database_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/database"
)

func TestQuotePath(t *testing.T) {
	for _, c := range []struct {
		dialect database.Dialect
		name    string
		want    string // empty: refused
	}{
		{database.Postgres, "users", `"users"`},
		{database.Postgres, "sales.Users", `"sales"."Users"`},
		{database.Postgres, `a"b`, `"a""b"`},
		{database.MariaDB, "a`b", "`a``b`"},
		{database.MariaDB, `a"b`, "`a\"b`"},
		{database.SQLite, "naïve", `"naïve"`},
		{database.Postgres, strings.Repeat("n", database.MaxName), `"` + strings.Repeat("n", database.MaxName) + `"`},
		{database.MariaDB, strings.Repeat("n", database.MaxName+1), ""},
		{database.Postgres, "", ""},
		{database.Postgres, "a.", ""},
		{database.Postgres, "a\x00b", ""},
	} {
		got, err := c.dialect.QuotePath(c.name)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s %q: got %s, %v, want %s", c.dialect, c.name, got, err, c.want)
		}
	}
}

func TestParameters(t *testing.T) {
	if got := database.Postgres.Parameters(3, 2); got != "$3, $4" {
		t.Error(got)
	}
	if got := database.MariaDB.Parameters(3, 2); got != "?, ?" {
		t.Error(got)
	}
}

func TestDialectIsChecked(t *testing.T) {
	if err := database.SQLite.Validate(); err != nil {
		t.Error(err)
	}
	for _, d := range []database.Dialect{-1, 3} {
		if err := d.Validate(); err == nil {
			t.Errorf("%s passes", d)
		}
	}
}
