package inbox_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// A table's columns are told with what a Table would find in them.
func TestColumns(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.exec(t, "CREATE TABLE k (a integer, b integer, v varchar(20) NOT NULL, w integer DEFAULT 1, PRIMARY KEY (a, b))")
		columns, err := r.inbox.Columns(t.Context(), r.DB, "k")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range columns {
			got += fmt.Sprintf("%s %t %t %t %t,", c.Name, c.Primary, c.NotNull && !c.Primary, c.HasDefault, c.KeyProblem == "")
		}
		if want := "a true false false false,b true false false false,v false true false false,w false false true false,"; got != want {
			t.Errorf("%s", got)
		}
		var missing *inbox.MissingTableError
		if _, err := r.inbox.Columns(t.Context(), r.DB, "nothing"); !errors.As(err, &missing) || len(missing.Others) == 0 {
			t.Errorf("%v", err)
		}
	})
}

// Try names each column that refuses its value, and writes nothing; Seen knows whether
// an entity was applied.
func TestTry(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.exec(t, "CREATE TABLE k (id integer PRIMARY KEY, v integer NOT NULL, w integer NOT NULL, x integer)")
		table, err := r.inbox.NewTable(inbox.TableConfig{Table: "k", Columns: []inbox.Column{{Name: "v"}, {Name: "w"}, {Name: "x"}}})
		if err != nil {
			t.Fatal(err)
		}
		d := user(replhub.Update, "042", 1)
		d.Data = []byte(`{"v":"\u0000","more":1}`)
		trial, err := table.Try(t.Context(), r.DB, d)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range trial.Refused {
			got += e.Column + " "
		}
		if got != "id v w " || fmt.Sprint(trial.Missing) != "[w x]" || fmt.Sprint(trial.Unmapped) != "[more]" {
			t.Errorf("%q, %+v", got, trial)
		}
		d = user(replhub.Update, "7", 1)
		d.Data = []byte(`{"v":1,"w":2,"x":3}`)
		if trial, err = table.Try(t.Context(), r.DB, d); err != nil || len(trial.Refused)+len(trial.Missing)+len(trial.Unmapped) > 0 {
			t.Errorf("%+v, %v", trial, err)
		}
		for _, want := range []bool{false, true} {
			if seen, err := r.inbox.Seen(t.Context(), r.DB, "user"); err != nil || seen != want {
				t.Errorf("seen: %v, %v", seen, err)
			}
			if n := r.count(t, "SELECT count(*) FROM k"); (n > 0) != want {
				t.Errorf("%d rows", n)
			}
			if _, err := r.inbox.Replicate(t.Context(), r.DB, d, table); err != nil {
				t.Fatal(err)
			}
		}
	})
}
