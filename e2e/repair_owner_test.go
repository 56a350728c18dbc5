package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of a replica
	_ "modernc.org/sqlite"             // that of another

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

// outboxOwner is a service with users in PostgreSQL that publishes their changes by
// its outbox, and serves their rows with the versions that the outbox gives.
type outboxOwner struct {
	t       *testing.T
	db      *sql.DB
	client  *replhub.Client
	box     *outbox.Outbox
	relay   *outbox.Relay
	changes atomic.Int64
}

func newOutboxOwner(t *testing.T, url string, rows int) *outboxOwner {
	t.Helper()
	o := &outboxOwner{t: t, db: openSQL(t, "pgx", sqltest.Postgres(t))}
	var err error
	if o.box, err = outbox.New(outbox.Config{}); err != nil {
		t.Fatal(err)
	}
	if err := o.box.Migrate(t.Context(), o.db); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE TABLE users (id text COLLATE "C" PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, phone text NOT NULL)`,
		fmt.Sprintf(`INSERT INTO users SELECT 'u' || lpad(n::text, 6, '0'), t, t || ' of old', '+' || n
			FROM generate_series(0, %d) n, LATERAL (SELECT CASE n %% 3 WHEN 0 THEN 'acme' ELSE 'other' END AS t) x`, rows-1),
	} {
		if _, err := o.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	o.client = connectAs(t, url, "accounts")
	o.relay, err = o.box.NewRelay(outbox.RelayConfig{DB: o.db, Publisher: o.client, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func openSQL(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(12)
	db.SetMaxIdleConns(12)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func connectAs(t *testing.T, url, service string) *replhub.Client {
	t.Helper()
	client, err := replhub.Connect(t.Context(), replhub.Config{URL: url, Service: service, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// rows is the owner's replhub.SnapshotFunc, as outbox's documentation has it.
func (o *outboxOwner) rows(ctx context.Context, after string, yield func(replhub.Event) error) error {
	rows, err := o.db.QueryContext(ctx, `SELECT u.id, json_build_object('id', u.id, 'tenant', tenant, 'name', name, 'phone', phone)::text,
			COALESCE((g.generation << 44) + v.version, 0) FROM users u
		CROSS JOIN replhub_outbox_generation g
		LEFT JOIN replhub_outbox_versions v ON v.entity = 'user' AND v.entity_key = u.id
		WHERE u.id > $1 ORDER BY u.id LIMIT 300`, after)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var ev replhub.Event
		if err := rows.Scan(&ev.Key, &ev.Data, &ev.Version); err != nil {
			return err
		}
		if err := yield(ev); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write changes a user now and then, and enqueues that in the same transaction.
func (o *outboxOwner) write(ctx context.Context) error {
	random := rand.New(rand.NewPCG(93, uint64(o.changes.Load())))
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		// What has begun is finished.
		if err := o.change(context.WithoutCancel(ctx), random); err != nil {
			return err
		}
		o.changes.Add(1)
	}
}

func (o *outboxOwner) change(ctx context.Context, random *rand.Rand) error {
	n := random.IntN(repairRows * 11 / 10)
	ev := replhub.Event{Entity: "user", Op: replhub.Update, Key: fmt.Sprintf("u%06d", n)}
	tenant := []string{"acme", "other"}[random.IntN(2)]
	name, phone := fmt.Sprintf("%s by %d", tenant, o.changes.Load()), fmt.Sprint("+", random.IntN(1000))
	return database.InTransaction(ctx, o.db, nil, func(tx *sql.Tx) error {
		if random.IntN(5) == 0 {
			ev.Op = replhub.Delete
			if _, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, ev.Key); err != nil {
				return err
			}
			return o.box.Enqueue(ctx, tx, ev)
		}
		ev.Data = fmt.Appendf(nil, `{"id":%q,"tenant":%q,"name":%q,"phone":%q}`, ev.Key, tenant, name, phone)
		_, err := tx.ExecContext(ctx, `INSERT INTO users VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, name = excluded.name, phone = excluded.phone`, ev.Key, tenant, name, phone)
		if err != nil {
			return err
		}
		return o.box.Enqueue(ctx, tx, ev)
	})
}

// table is what the owner has in some columns.
func (o *outboxOwner) table(columns ...string) map[string]string {
	o.t.Helper()
	return columnsOf(o.t, o.db, "users", columns)
}

// columnsOf are a table's rows by id, a column behind the other.
func columnsOf(t *testing.T, db *sql.DB, table string, columns []string) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), "SELECT id, "+strings.Join(columns, ", ")+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]string)
	for rows.Next() {
		var id string
		values := make([]sql.NullString, len(columns))
		into := []any{&id}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		parts := make([]string, len(values))
		for i, v := range values {
			if parts[i] = "NULL"; v.Valid {
				parts[i] = strconv.Quote(v.String)
			}
		}
		all[id] = strings.Join(parts, " ")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// columnReplica is a service that replicates some columns of users.
type columnReplica struct {
	t       *testing.T
	service string
	dialect database.Dialect
	db      *sql.DB
	inbox   *inbox.Inbox
	client  *replhub.Client
	columns []string
	stop    func()
}

// newColumnReplica makes a replica with a column for names.
func newColumnReplica(t *testing.T, service string, dialect database.Dialect, driver, dsn string) *columnReplica {
	t.Helper()
	r := &columnReplica{t: t, service: service, dialect: dialect, db: openSQL(t, driver, dsn)}
	var err error
	if r.inbox, err = inbox.New(inbox.Config{Dialect: dialect, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if err = r.inbox.Migrate(t.Context(), r.db); err != nil {
		t.Fatal(err)
	}
	collation := map[database.Dialect]string{database.MariaDB: " COLLATE utf8mb4_nopad_bin"}[dialect]
	r.exec("CREATE TABLE people (id varchar(64)" + collation + " PRIMARY KEY, name varchar(64))")
	return r
}

func (r *columnReplica) exec(statement string) {
	r.t.Helper()
	if _, err := r.db.ExecContext(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s: %s: %v", r.service, statement, err)
	}
}

// subscribe starts the service as one that keeps these columns, until stop is
// called. It returns once that is registered.
func (r *columnReplica) subscribe(url string, columns ...string) {
	r.t.Helper()
	mapped := make([]inbox.Column, len(columns))
	for i, name := range columns {
		mapped[i].Name = name
	}
	table, err := r.inbox.NewTable(inbox.TableConfig{Table: "people", Columns: mapped})
	if err != nil {
		r.t.Fatal(err)
	}
	r.columns, r.client = columns, connectAs(r.t, url, r.service)
	s, err := replhub.NewBatchSubscriber(r.client, replhub.SubscriberConfig{Registration: replhub.Registration{Interests: []replhub.Interest{{
		Entity: "user", Fields: append([]string{"id"}, columns...), Start: replhub.StartSnapshot(),
	}}}}, table.Handler(r.db))
	if err != nil {
		r.t.Fatal(err)
	}
	r.stop = background(r.t, s.Run)
	<-s.Ready()
}

// table is what the replica has.
func (r *columnReplica) table() map[string]string {
	r.t.Helper()
	return columnsOf(r.t, r.db, "people", r.columns)
}
