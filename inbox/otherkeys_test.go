package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// soon bounds what has to wait for no other transaction.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// besides is a transaction that stays open until the test ends.
func (r *replica) besides(t *testing.T, statements ...string) {
	t.Helper()
	tx, err := r.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	for _, statement := range statements {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// A transaction is open that has changed rows of the inbox, added some, and locked a
// tombstone. Purge passes over these.
func TestPurgeWaitsForNobody(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		seq := uint64(0)
		for _, entity := range []string{"tenant", "user"} {
			for _, key := range []string{"a", "b", "c", "d"} {
				for _, op := range []replhub.Op{replhub.Create, replhub.Delete} {
					if seq++; key == "b" && op == replhub.Delete {
						continue
					}
					d := user(op, key, seq)
					d.Entity = entity
					r.mustDo(t, d, inbox.Applied)
				}
			}
		}
		waiting := "INSERT INTO replhub_inbox_waiting (target, entity, entity_key, kept_at, delivery) VALUES ('users', 'user', '%s', %d, '')"
		r.exec(t, fmt.Sprintf(waiting, "old", 1))
		r.exec(t, fmt.Sprintf(waiting, "young", time.Now().UnixNano()))
		insert := "INSERT INTO replhub_inbox (entity, entity_key, epoch, seq, origin, version, event_at, deleted, applied_at) VALUES ('%s', '%s', 1, 99, '', 0, 0, TRUE, 0)"
		r.besides(t,
			"UPDATE replhub_inbox SET seq = seq + 1 WHERE entity = 'user' AND entity_key = 'b'",
			"UPDATE replhub_inbox SET seq = seq + 1 WHERE entity = 'tenant' AND entity_key = 'd'",
			fmt.Sprintf(insert, "user", "aa"), fmt.Sprintf(insert, "zebra", "z"),
			"UPDATE replhub_inbox_waiting SET kept_at = kept_at + 1 WHERE target = 'users' AND entity = 'user' AND entity_key = 'young'",
			fmt.Sprintf(waiting, "other", 1),
		)
		n, err := r.inbox.Purge(soon(t), r.DB, 0)
		if err != nil || n != 5 {
			t.Errorf("Purge: %d, %v, want the 5 tombstones that nobody has locked", n, err)
		}
		if left := r.count(t, "SELECT count(*) FROM replhub_inbox WHERE deleted"); left != 1 {
			t.Errorf("%d tombstones are left, want the one that is locked", left)
		}
		if left := r.count(t, "SELECT count(*) FROM replhub_inbox_waiting"); left != 1 {
			t.Errorf("%d deliveries wait", left)
		}
	}, database.Postgres, database.MariaDB)
}

// Purge goes on behind the first piece, keeps what is no tombstone or too young, and
// keeps a tombstone that has become a row since it was found.
func TestPurgeInPieces(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		const rows = 1203
		numbers := map[database.Dialect]string{
			database.Postgres: "generate_series(1, 1203) AS s(n)",
			database.MariaDB:  "(SELECT seq AS n FROM seq_1_to_1203) AS s",
			database.SQLite:   "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1203) SELECT n FROM c) AS s",
		}[dialect]
		key := map[database.Dialect]string{database.Postgres: "convert_to(n::text, 'UTF8')", database.MariaDB: "n", database.SQLite: "CAST(n AS BLOB)"}[dialect]
		entity := map[database.Dialect]string{database.MariaDB: "concat('e', n % 3)"}[dialect]
		if entity == "" {
			entity = "'e' || n % 3"
		}
		r.exec(t, "INSERT INTO replhub_inbox (entity, entity_key, epoch, seq, origin, version, event_at, deleted, applied_at) "+
			"SELECT "+entity+", "+key+", 1, n, '', 0, 0, n % 10 <> 0, CASE WHEN n % 100 = 1 THEN 4000000000000000000 ELSE 1 END FROM "+numbers)
		want := int64(rows - rows/10 - 13)
		if n, err := r.inbox.Purge(t.Context(), r.DB, time.Hour); err != nil || n != want {
			t.Errorf("Purge: %d, %v, want %d", n, err, want)
		}
		if left := r.count(t, "SELECT count(*) FROM replhub_inbox"); left != rows-int(want) {
			t.Errorf("%d rows are left", left)
		}
	})
}

// While the effect on a row that did not exist is not committed, the rows beside it are
// changed.
func TestOtherKeysDoNotWait(t *testing.T) {
	on(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.mustDo(t, user(replhub.Create, "a", 1), inbox.Applied)
		r.mustDo(t, user(replhub.Create, "z", 2), inbox.Applied)
		for n, op := range []replhub.Op{replhub.Create, replhub.Delete} {
			seq := uint64(10 + 10*n)
			d := user(op, fmt.Sprintf("m%d", n), seq)
			outcome, err := r.inbox.Do(t.Context(), r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
				if err := r.effect(ctx, tx, d); err != nil {
					return err
				}
				for i, key := range []string{"a", "l", "n", "z"} {
					other := user(replhub.Update, key, seq+1+uint64(i))
					if got, err := r.do(soon(t), other); err != nil || got != inbox.Applied {
						return fmt.Errorf("%s beside a %s: %v, %w", key, op, got, err)
					}
				}
				return nil
			})
			if err != nil || outcome != inbox.Applied {
				t.Fatalf("%s: %v, %v", op, outcome, err)
			}
			r.exec(t, "DELETE FROM users WHERE id IN ('l', 'n')")
			r.exec(t, "DELETE FROM replhub_inbox WHERE entity_key IN ('l', 'n')")
		}
		// The same beside Current, at the database's default isolation.
		tx, err := r.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		for _, key := range []string{"a", "m"} {
			if _, err := r.inbox.Current(t.Context(), tx, "user", key); err != nil {
				t.Fatal(err)
			}
		}
		for i, key := range []string{"0", "b", "l", "n", "z"} {
			if got, err := r.do(soon(t), user(replhub.Update, key, 50+uint64(i))); err != nil || got != inbox.Applied {
				t.Fatalf("%s beside Current: %v, %v", key, got, err)
			}
		}
	}, database.Postgres, database.MariaDB)
}
