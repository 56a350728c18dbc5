package engine_test

import (
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
