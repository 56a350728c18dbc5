package engine_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/testenv/sqltest"
)

const users = "CREATE TABLE users (id int PRIMARY KEY, name text, note text)"

// A change of each kind is an event, with the whole row.
func TestChanges(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	b.run()
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL), (2, 'Bob', 'x')")
	b.exec("UPDATE users SET name = 'Ada L' WHERE id = 1")
	b.exec("UPDATE users SET id = 3 WHERE id = 2")
	b.exec("DELETE FROM users WHERE id = 1")
	b.await(
		`users.create 1 {"id":"1","name":"Ada","note":null}`,
		`users.create 2 {"id":"2","name":"Bob","note":"x"}`,
		`users.update 1 {"id":"1","name":"Ada L","note":null}`,
		`users.delete 2 {"id":"2"}`,
		`users.create 3 {"id":"3","name":"Bob","note":"x"}`,
		`users.delete 1 {"id":"1"}`,
	)
}

// Rows that one COPY writes have one LSN; they are told apart by their number, and a
// capture that begins again goes on behind the last one that is stored.
func TestRowsAtOneLSN(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	_, stop := b.run()
	conn := b.db.PgConn()
	if _, err := conn.CopyFrom(t.Context(), strings.NewReader("1\ta\t\\N\n2\tb\t\\N\n3\tc\t\\N\n"), "COPY users FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`users.create 1 {"id":"1","name":"a","note":null}`,
		`users.create 2 {"id":"2","name":"b","note":null}`,
		`users.create 3 {"id":"3","name":"c","note":null}`,
	}
	got := b.await(want...)
	if got[0].version != got[2].version {
		t.Errorf("versions %s and %s: the rows have LSNs of their own, so this test shows nothing", got[0].version, got[2].version)
	}
	if got[0].id == got[1].id || got[1].id == got[2].id {
		t.Errorf("two rows have one position: %q", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.run()
	b.exec("DELETE FROM users WHERE id = 1")
	b.await(append(want, `users.delete 1 {"id":"1"}`)...)
}

// A table may change while it is captured: each event has the columns of its moment. The
// rows of a partition are those of its root.
func TestTablesChange(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users,
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
		"CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10)",
		"CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20)")
	b.run()
	b.exec("INSERT INTO users VALUES (1, 'a', NULL)")
	b.exec("ALTER TABLE users ADD email text DEFAULT 'none'")
	b.exec("UPDATE users SET name = 'b'")
	b.exec("ALTER TABLE users DROP note")
	b.exec("UPDATE users SET name = 'c'")
	b.exec("CREATE TABLE later (id int PRIMARY KEY, x text)")
	b.exec("INSERT INTO later VALUES (1, 'x')")
	b.exec("INSERT INTO parts VALUES (1), (11)")
	b.exec("UPDATE parts SET id = 12 WHERE id = 1")
	b.await(
		`users.create 1 {"id":"1","name":"a","note":null}`,
		`users.update 1 {"email":"none","id":"1","name":"b","note":null}`,
		`users.update 1 {"email":"none","id":"1","name":"c"}`,
		`later.create 1 {"id":"1","x":"x"}`,
		`parts.create 1 {"id":"1"}`,
		`parts.create 11 {"id":"11"}`,
		`parts.delete 1 {"id":"1"}`,
		`parts.create 12 {"id":"12"}`,
	)
}
