package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/selection"
)

func plainVersion(lsn uint64) (int64, bool) { return int64(lsn), true }

func newSnapshots(t *testing.T, d *database, cfg selection.Config) *Snapshots {
	t.Helper()
	s, err := NewSnapshots(t.Context(), d.config, selectionOf(t, cfg), plainVersion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// all reads an entity as the hub does, call by call.
func all(t *testing.T, s *Snapshots, entity string) (rows []replhub.Event, calls int) {
	t.Helper()
	rows, calls, err := readAll(t.Context(), s, entity)
	if err != nil {
		t.Fatal(err)
	}
	return rows, calls
}

func readAll(ctx context.Context, s *Snapshots, entity string) (rows []replhub.Event, calls int, err error) {
	for after := ""; ; calls++ {
		n := len(rows)
		err := s.Func(entity)(ctx, after, func(ev replhub.Event) error {
			rows = append(rows, ev)
			return nil
		})
		if err != nil || len(rows) == n {
			return rows, calls, err
		}
		after = rows[len(rows)-1].Key
	}
}

// Each row comes once and in the order of the key's index, whatever the key is made of.
func TestRowsByKey(t *testing.T) {
	d := newDatabase(t,
		"CREATE TYPE mood AS ENUM ('sad', 'glad')",
		"CREATE TABLE pairs (a int, x text, b text, secret text, twice int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (b, a))",
		"INSERT INTO pairs SELECT n % 7, 'x', 'k' || n / 7 || ',\"', 's' FROM generate_series(0, 699) n",
		"CREATE TABLE binaries (id bytea PRIMARY KEY)", "INSERT INTO binaries SELECT sha256(n::text::bytea) FROM generate_series(1, 50) n",
		"CREATE TABLE moments (id timestamptz PRIMARY KEY)", "INSERT INTO moments SELECT 'epoch'::timestamptz + n * '1.5 days'::interval FROM generate_series(1, 50) n", "INSERT INTO moments VALUES ('-infinity'), ('0044-03-15 BC')",
		"CREATE TABLE numerics (id numeric PRIMARY KEY)", "INSERT INTO numerics VALUES (1.10), (-1), ('NaN'), (1000), (0.001)",
		"CREATE EXTENSION citext", "CREATE DOMAIN mail AS citext",
		"CREATE TABLE mails (id mail, n int, PRIMARY KEY (n, id))", "INSERT INTO mails SELECT CASE WHEN n % 3 = 0 THEN upper(md5(n::text)) ELSE md5(n::text) END, n / 30 FROM generate_series(0, 59) n",
		"CREATE TABLE moods (id mood PRIMARY KEY)", "INSERT INTO moods VALUES ('sad'), ('glad')",
		"CREATE TABLE padded (id char(5) PRIMARY KEY)", "INSERT INTO padded VALUES ('b'), ('a')",
		"CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id)",
		"CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
		"INSERT INTO parts SELECT generate_series(1, 50)",
		"CREATE TABLE base (id int PRIMARY KEY)", "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (base)", "INSERT INTO base VALUES (1)", "INSERT INTO heir VALUES (2)",
	)
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.*"}, Exclude: []string{"public.pairs.secret"}})
	s.Limit = 20
	for _, entity := range []string{"pairs", "binaries", "moments", "numerics", "mails", "moods", "padded", "parts", "base", "heir"} {
		lookupIsAsTheScan(t, s, entity)
	}
	for entity, want := range map[string]int{"pairs": 700, "binaries": 50, "moments": 52, "numerics": 5, "mails": 60, "moods": 2, "padded": 2, "parts": 50, "base": 1, "heir": 1} {
		rows, calls := all(t, s, entity)
		keys := map[string]bool{}
		for _, row := range rows {
			keys[row.Key] = true
		}
		if len(rows) != want || len(keys) != want || calls != (want+19)/20 {
			t.Errorf("%s: %d rows with %d keys in %d calls, want %d", entity, len(rows), len(keys), calls, want)
		}
	}
	rows, _ := all(t, s, "pairs")
	found := lookedUp(t, s, "pairs", "[6,\"k99,\\\"\"]", "[7,\"k99,\\\"\"]", "none", "[1]")
	if len(found) != 1 || string(found[0].Data) != `{"a":6,"x":"x","b":"k99,\""}` {
		t.Errorf("looked up %v", found)
	}
	if got := string(rows[0].Data); got != `{"a":0,"x":"x","b":"k0,\""}` || rows[0].Key != `[0,"k0,\""]` {
		t.Errorf("the first row is %s with the key %s", got, rows[0].Key)
	}
}

// A call ends as soon as no more rows are wanted.
func TestRowsEnd(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users SELECT generate_series(1, 5000)")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	enough, n := errors.New("enough"), 0
	err := s.Func("user")(t.Context(), "", func(replhub.Event) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("%d rows, %v", n, err)
	}
	if rows, _ := all(t, s, "user"); len(rows) != 5000 {
		t.Errorf("%d rows", len(rows))
	}
}

// A row whose change is not committed, and so not read, has a version below that change;
// every other row wins over all that it contains.
func TestVersionBesideAnOpenTransaction(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY, n int)", "INSERT INTO users VALUES (1, 0), (2, 0), (3, 0)")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	s.Patience = 20 * time.Millisecond
	before := d.lsn()
	settled, _ := all(t, s, "user")
	for _, row := range settled {
		if uint64(row.Version) < before {
			t.Errorf("row %s has version %x, and its last change is before %x", row.Key, row.Version, before)
		}
	}
	// The transaction is older than the call, and touches one row before and one after.
	open := d.connect()
	if _, err := open.Exec(t.Context(), "BEGIN; UPDATE users SET n = 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	changed := d.lsn()
	d.exec("UPDATE users SET n = 5 WHERE id = 3")
	now := d.lsn()
	rows, _ := all(t, s, "user")
	if v := uint64(rows[0].Version); v >= changed || v < before {
		t.Errorf("the row that is being changed has version %x; its change has an LSN up to %x", v, changed)
	}
	for _, row := range rows[1:] {
		if uint64(row.Version) < now {
			t.Errorf("row %s has version %x, and nobody changes it since %x", row.Key, row.Version, now)
		}
	}
	if _, err := open.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if rows, _ = all(t, s, "user"); uint64(rows[0].Version) < now {
		t.Errorf("after the commit, the row has version %x", rows[0].Version)
	}
}

// lsn is the end of the log.
func (d *database) lsn() uint64 {
	d.t.Helper()
	var lsn uint64
	if err := d.QueryRow(d.t.Context(), "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&lsn); err != nil {
		d.t.Fatal(err)
	}
	return lsn
}

// Beside transactions that change rows and stay open for a while, no row has the version
// of a change that it does not contain, or of a later one. The log is the judge.
func TestVersionsUnderLoad(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY, n int)", "INSERT INTO users SELECT id, 0 FROM generate_series(1, 30) id",
		"SELECT pg_create_logical_replication_slot('replhub_load', 'test_decoding')")
	defer d.exec("SELECT pg_drop_replication_slot('replhub_load')")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	s.Limit, s.Patience = 10, 2*time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 3)
	for writer := range 3 {
		conn := d.connect()
		go func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := 1 + (n*7+writer*10)%30
				_, err := conn.Exec(context.WithoutCancel(ctx), fmt.Sprintf("BEGIN; UPDATE users SET n = n + 1 WHERE id = %d; SELECT pg_sleep(0.0%d); COMMIT", id, writer*2))
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	var rows []replhub.Event
	for range 12 {
		read, _ := all(t, s, "user")
		rows = append(rows, read...)
	}
	stop()
	for range 3 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	d.judge(rows)
}

// judge compares rows with the changes in the log.
func (d *database) judge(rows []replhub.Event) {
	d.t.Helper()
	type write struct {
		lsn uint64
		n   int
	}
	writes := map[string][]write{}
	found, err := d.Query(d.t.Context(), "SELECT (lsn - '0/0')::bigint, data FROM pg_logical_slot_get_changes('replhub_load', NULL, NULL) WHERE data LIKE 'table%'")
	if err != nil {
		d.t.Fatal(err)
	}
	for found.Next() {
		var lsn uint64
		var data string
		var id, n int
		if err := found.Scan(&lsn, &data); err != nil {
			d.t.Fatal(err)
		}
		if _, err := fmt.Sscanf(data, "table public.users: UPDATE: id[integer]:%d n[integer]:%d", &id, &n); err != nil {
			d.t.Fatalf("%s: %v", data, err)
		}
		writes[fmt.Sprint(id)] = append(writes[fmt.Sprint(id)], write{lsn, n})
	}
	if err := found.Err(); err != nil || len(writes) == 0 {
		d.t.Fatal(len(writes), err)
	}
	for _, row := range rows {
		var user struct{ N int }
		if err := json.Unmarshal(row.Data, &user); err != nil {
			d.t.Fatal(err)
		}
		if at := slices.IndexFunc(writes[row.Key], func(w write) bool { return w.n > user.N && w.lsn <= uint64(row.Version) }); at >= 0 {
			d.t.Errorf("row %s has n=%d and version %x, so that the change to n=%d at %x is lost", row.Key, user.N, row.Version, writes[row.Key][at].n, writes[row.Key][at].lsn)
		}
	}
}

// A process that does not know the version of a change serves nothing.
func TestNoVersion(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users VALUES (1)")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	s.version = func(uint64) (int64, bool) { return 0, false }
	if rows, _, err := readAll(t.Context(), s, "user"); !errors.Is(err, errNotCapturing) || len(rows) > 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// The rows of several tables have no common order.
func TestEntityOfSeveralTables(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE order_1 (id int PRIMARY KEY)", "CREATE TABLE order_2 (id int PRIMARY KEY)")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.order_*=order"}})
	for _, entity := range []string{"order", "other"} {
		if _, _, err := readAll(t.Context(), s, entity); err == nil {
			t.Errorf("rows of %s are served", entity)
		}
	}
}

// A resync reads every row of every table in one snapshot.
func TestResyncRows(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users SELECT generate_series(1, 1000)",
		"CREATE TABLE tenants (id int PRIMARY KEY)", "INSERT INTO tenants VALUES (1)", "CREATE TABLE other (id int PRIMARY KEY)")
	tables := NewTables(d.config, selectionOf(t, selection.Config{Tables: []string{"public.users=user", "public.tenants=tenant"}}))
	var snapshot string
	tx, err := d.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if err := tx.QueryRow(t.Context(), "SELECT pg_export_snapshot()").Scan(&snapshot); err != nil {
		t.Fatal(err)
	}
	if _, err := d.connect().Exec(t.Context(), "INSERT INTO tenants VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	rows := &Rows{Tables: tables, Logger: quiet()}
	got := map[string]int{}
	if err := rows.Rows(t.Context(), snapshot, func(r change.Row) error {
		if _, err := r.Table.Key(r.Tuple); err != nil {
			return err
		}
		got[r.Table.Entity()]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got["user"] != 1000 || got["tenant"] != 1 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

// Rows that row security hides are an error, not rows that are left out: replhub verify
// --repair would delete them.
func TestRowSecurityHidesNoRow(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users VALUES (1)",
		"DROP ROLE IF EXISTS source_reader", "CREATE ROLE source_reader LOGIN", "GRANT SELECT ON users TO source_reader")
	defer d.exec("DROP OWNED BY source_reader", "DROP ROLE source_reader")
	d.config.User = "source_reader"
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	if rows, _ := all(t, s, "user"); len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	d.exec("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
	rows, _, err := readAll(t.Context(), s, "user")
	if _, refused := errors.AsType[*change.RefusalError](err); !refused || !strings.Contains(err.Error(), "BYPASSRLS") {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// An excluded column that was renamed is not published under its new name, neither with a
// change nor with a row of a snapshot; until both names are excluded.
func TestExcludedColumnThatWasRenamed(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id int PRIMARY KEY, secret text, twice int GENERATED ALWAYS AS (id * 2) STORED)", "INSERT INTO users (id) VALUES (1)")
	relation := func(columns ...string) *change.Relation {
		rel := &change.Relation{Schema: "public", Name: "users", Identity: 'd', Columns: []change.Column{{Name: "id", Type: 23, Identity: true}}}
		if err := d.QueryRow(t.Context(), "SELECT 'users'::regclass::oid").Scan(&rel.OID); err != nil {
			t.Fatal(err)
		}
		for _, name := range columns {
			rel.Columns = append(rel.Columns, change.Column{Name: name, Type: 25})
		}
		return rel
	}
	refused := func(rel *change.Relation, exclude ...string) bool {
		cfg := selection.Config{Tables: []string{"public.users=user"}, Exclude: exclude}
		tables := NewTables(d.config, selectionOf(t, cfg))
		defer tables.Close(t.Context())
		_, err := tables.Table(t.Context(), rel)
		_, is := errors.AsType[*change.RefusalError](err)
		if !is && err != nil {
			t.Fatal(err)
		}
		return is
	}
	exact, both := []string{"public.users.secret", "public.users.twice"}, []string{"public.users.secret*", "public.users.hidden*"}
	if refused(relation("secret"), exact...) || refused(relation(), exact...) {
		t.Error("the table has the column, now or by the time of the change, and is refused")
	}
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}, Exclude: exact})
	all(t, s, "user")
	d.exec("ALTER TABLE users RENAME secret TO hidden")
	if !refused(relation("hidden"), exact...) || !refused(relation("secret"), "public.users.hidden") {
		t.Error("the column is published under another name")
	}
	if _, _, err := readAll(t.Context(), s, "user"); err == nil {
		t.Error("a snapshot has the column under its new name")
	}
	if refused(relation("hidden"), both...) || refused(relation("secret"), both...) {
		t.Error("both names are excluded, and the table is refused")
	}
}

// Rows that cannot be events are left out and told, and those behind them come all the
// same, also where a whole call has no other rows.
func TestRowsThatAreUnfit(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE users (id text COLLATE \"C\", n int, note text, PRIMARY KEY (id))",
		`INSERT INTO users SELECT E'a\n' || to_char(n, 'FM000'), n FROM generate_series(1, 45) n`, "INSERT INTO users VALUES ('b', 1, ''), ('c', 2, repeat('x', 5000)), ('d', 3, '')")
	s := newSnapshots(t, d, selection.Config{Tables: []string{"public.users=user"}})
	told := 0
	s.Limit, s.Most = 20, func() int64 { return 6000 }
	s.Unfit = func(table string, err error) {
		if told++; table != "public.users" {
			t.Errorf("%s: %v", table, err)
		}
	}
	rows, _ := all(t, s, "user")
	if len(rows) != 2 || rows[0].Key != "b" || rows[1].Key != "d" || told != 46 {
		t.Errorf("%d rows, %d told", len(rows), told)
	}
	// A row that is asked for by its key and not there looks as if it were deleted.
	if err := s.Lookup("user")(t.Context(), []string{"b", "c"}, func(replhub.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("a row that is too large is left out of a look-up: %v", err)
	}
}
