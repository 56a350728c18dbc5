package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// A large value is read only when others see the transaction that wrote it. With
// synchronous replication, a commit is in the log, and is sent, long before.
func TestLargeValueOfACommitThatIsNotSeen(t *testing.T) {
	b := newBench(t, sqltest.OwnPostgres(t).DSN(), users, "ALTER TABLE users ALTER COLUMN note SET STORAGE EXTERNAL",
		"INSERT INTO users VALUES (1, 'a', repeat('x', 3000))")
	b.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	b.exec("SELECT pg_reload_conf()")
	e, _ := b.run()
	writer := b.connect()
	committed := make(chan error, 1)
	go func() {
		_, err := writer.Exec(t.Context(), "BEGIN; UPDATE users SET note = repeat('y', 3000); UPDATE users SET name = 'b'; INSERT INTO users VALUES (2, 'c', repeat('z', 3000)); UPDATE users SET name = 'd' WHERE id = 2; COMMIT")
		committed <- err
	}()
	b.eventually("a large value is needed", func() error {
		if e.Counts().Lookups.Load() == 0 {
			return errors.New("none so far")
		}
		return nil
	})
	quiet := b.connect()
	for _, statement := range []string{"SET synchronous_commit = local", "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"} {
		if _, err := quiet.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	b.eventually("the changes", func() error {
		if n := e.Counts().Superseded.Load(); n == 0 && len(b.events()) < 4 {
			return errors.New("not all so far")
		}
		return nil
	})
	if n := e.Counts().Superseded.Load(); n > 0 {
		t.Fatalf("%d changes were left out, as if their rows were gone", n)
	}
	row := func(id, name, note string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"note":%q}`, id, name, strings.Repeat(note, 3000))
	}
	b.await(
		"users.update 1 "+row("1", "a", "y"),
		"users.update 1 "+row("1", "b", "y"),
		"users.create 2 "+row("2", "c", "z"),
		"users.update 2 "+row("2", "d", "z"),
	)
}

// A row that row security hides is not taken for one that is gone: the capture stops, and
// says which right is missing.
func TestRowSecurityHidesNoRow(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users, "ALTER TABLE users ALTER note SET STORAGE EXTERNAL",
		"DROP ROLE IF EXISTS engine_reader", "CREATE ROLE engine_reader LOGIN REPLICATION", "GRANT SELECT ON users TO engine_reader",
		"INSERT INTO users VALUES (1, 'Ada', repeat('x', 3000))")
	t.Cleanup(func() { b.cleanUp("DROP OWNED BY engine_reader", "DROP ROLE engine_reader") })
	b.exec("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
	b.exec("UPDATE users SET name = 'Ada L'")
	cfg := b.config()
	cfg.Database.User = "engine_reader"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e := engine.New(cfg)
	if err := e.Run(ctx); engine.ProblemOf(err) != engine.Refused || !strings.Contains(err.Error(), "BYPASSRLS") {
		t.Errorf("%v; %d changes were left out, as if their rows were gone", err, e.Counts().Superseded.Load())
	}
}

// A large value is read from the table that had the change, whatever that is called by
// now; and never from a table that inherits from it, or that has its name.
func TestLargeValueOfATableThatWasRenamed(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users, "ALTER TABLE users ALTER note SET STORAGE EXTERNAL",
		"INSERT INTO users VALUES (1, 'Ada', repeat('x', 3000)), (2, 'Bob', repeat('y', 3000))",
		"CREATE TABLE other_heir () INHERITS (users)", "INSERT INTO other_heir VALUES (2, 'heir', 'heir')",
		"CREATE TABLE teams (id int PRIMARY KEY, name text, note text)", "ALTER TABLE teams ALTER note SET STORAGE EXTERNAL", "INSERT INTO teams VALUES (1, 'a', repeat('z', 3000))")
	b.exec("UPDATE ONLY users SET name = name || ' L'")
	b.exec("UPDATE teams SET name = 'b'")
	b.exec("DELETE FROM ONLY users WHERE id = 2")
	b.exec("ALTER TABLE users RENAME TO members")
	b.exec(users)
	b.exec("INSERT INTO users VALUES (1, 'other', 'other')")
	b.exec("DROP TABLE teams")
	b.run()
	want := []string{
		fmt.Sprintf(`users.update 1 {"id":"1","name":"Ada L","note":%q}`, strings.Repeat("x", 3000)),
		`teams.update 1 {"id":"1","name":"b"}`,
		`users.delete 2 {"id":"2"}`,
		`users.create 1 {"id":"1","name":"other","note":"other"}`,
	}
	b.await(want...)
	b.exec(`DO $$ BEGIN
		ALTER TABLE members RENAME TO former;
		CREATE TABLE members (id int PRIMARY KEY, name text, note text);
		INSERT INTO members VALUES (1, 'new', 'new');
		UPDATE ONLY former SET name = 'Ada M' WHERE id = 1;
	END $$`)
	b.await(append(want, `members.create 1 {"id":"1","name":"new","note":"new"}`,
		fmt.Sprintf(`former.update 1 {"id":"1","name":"Ada M","note":%q}`, strings.Repeat("x", 3000)))...)
}
