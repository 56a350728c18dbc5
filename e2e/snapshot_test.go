package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/sqltest"
	"github.com/replhub/replhub/wire"
)

const (
	snapshotRows = 100_000
	// liveWriters make liveBatch changes each every liveEvery: 2000 a second.
	liveWriters = 4
	liveBatch   = 10
	liveEvery   = 20 * time.Millisecond
)

// TestSnapshotUnderKills has a new service fetch a table of PostgreSQL while its
// owner makes 2000 changes a second in it, and kills the hub three times. The
// replica ends equal to the table, and each row has come once.
func TestSnapshotUnderKills(t *testing.T) {
	o := newTableOwner(t, snapshotRows)
	copied := o.copyAside()

	w := harness.New(t, harness.Options{Binary: binary, Seed: 91})
	h := w.StartHub("h1")
	o.connect(w.NATS.URL())
	stopServing := o.background(func(ctx context.Context) error { return o.client.ServeSnapshot(ctx, "user", o.rows) })
	stopWriting := o.background(o.write)

	began, down := time.Now(), time.Duration(0)
	w.MustCall("replhub.register.billing", `{"interests":[{"entity":"user","start":"snapshot"}]}`, nil)
	const kills = 3
	for i := range kills {
		awaitRows(w, uint64((i+1)*snapshotRows/(kills+1)))
		h.Kill()
		at := time.Now()
		h.Start()
		down += time.Since(at)
	}
	w.Eventually("all rows", settleWithin, func() error {
		if s := w.Describe("billing"); s.Fill != nil {
			return fmt.Errorf("%s: fill %+v", s.State, *s.Fill)
		}
		return nil
	})
	took, changes := time.Since(began), o.changes.Load()
	stopWriting()
	w.AwaitState("billing", wire.LaneLive, settleWithin)
	stopServing()

	lane := w.Read("SUB_billing")
	if rows := checkRows(t, lane); rows < snapshotRows*9/10 {
		t.Errorf("%d rows of a table of %d", rows, snapshotRows)
	}
	if diff := differences(o.table(), replicaOf(t, lane)); diff != "" {
		t.Error(diff)
	}
	rate := func(d time.Duration) int { return int(float64(snapshotRows) / d.Seconds()) }
	t.Logf("%d rows a second, %d kills included (%d while the hub was up), beside %.0f changes a second; plain COPY into another table: %d rows a second",
		rate(took), kills, rate(took-down), float64(changes)/took.Seconds(), rate(copied))
}

// awaitRows waits until a snapshot is under way and has come that far.
func awaitRows(w *harness.World, rows uint64) {
	w.Eventually(fmt.Sprintf("%d rows", rows), settleWithin, func() error {
		s := w.Describe("billing")
		if s.Fill == nil || s.Fill.Rows < rows {
			return fmt.Errorf("%s: %s, fill %+v", s.State, s.Reason, s.Fill)
		}
		return nil
	})
}

// tableOwner is a service with users in PostgreSQL.
type tableOwner struct {
	t       *testing.T
	db      *pgxpool.Pool
	client  *replhub.Client
	changes atomic.Int64
}

func newTableOwner(t *testing.T, rows int) *tableOwner {
	t.Helper()
	db, err := pgxpool.New(t.Context(), sqltest.Postgres(t)+" pool_max_conns=10")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	_, err = db.Exec(t.Context(), `CREATE TABLE users (id text COLLATE "C" PRIMARY KEY, data text NOT NULL, version bigint NOT NULL)`)
	if err != nil {
		t.Fatal(err)
	}
	n, err := db.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id", "data", "version"},
		pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{userKey(i), userRow(i, 1), 1}, nil }))
	if err != nil || int(n) != rows {
		t.Fatalf("%d rows, %v", n, err)
	}
	return &tableOwner{t: t, db: db}
}

func userKey(i int) string { return fmt.Sprintf("u%08d", i) }

// userRow is a row of about 256 bytes.
func userRow(i int, version int64) string {
	return fmt.Sprintf(`{"id":%q,"version":%d,"name":"%0200d"}`, userKey(i), version, i)
}

func (o *tableOwner) connect(url string) {
	o.t.Helper()
	var err error
	o.client, err = replhub.Connect(o.t.Context(), replhub.Config{URL: url, Service: "accounts", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(o.client.Close)
}

// background runs something until the returned function is called.
func (o *tableOwner) background(do func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			o.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	o.t.Cleanup(stop)
	return stop
}

// copyAside is what the snapshot is measured against: the same rows by COPY out
// of the table into another one.
func (o *tableOwner) copyAside() time.Duration {
	o.t.Helper()
	ctx := o.t.Context()
	if _, err := o.db.Exec(ctx, `CREATE TABLE aside (LIKE users INCLUDING ALL)`); err != nil {
		o.t.Fatal(err)
	}
	from, err := o.db.Acquire(ctx)
	if err != nil {
		o.t.Fatal(err)
	}
	defer from.Release()
	to, err := o.db.Acquire(ctx)
	if err != nil {
		o.t.Fatal(err)
	}
	defer to.Release()
	began := time.Now()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := from.Conn().PgConn().CopyTo(ctx, writer, `COPY users TO STDOUT`)
		done <- errors.Join(err, writer.CloseWithError(err))
	}()
	tag, err := to.Conn().PgConn().CopyFrom(ctx, reader, `COPY aside FROM STDIN`)
	if err = errors.Join(err, <-done); err != nil || tag.RowsAffected() != snapshotRows {
		o.t.Fatalf("%v, %v", tag, err)
	}
	return time.Since(began)
}

// rows is the table's replhub.SnapshotFunc.
func (o *tableOwner) rows(ctx context.Context, after string, yield func(replhub.Event) error) error {
	rows, err := o.db.Query(ctx, `SELECT id, data, version FROM users WHERE id > $1 ORDER BY id LIMIT 1000`, after)
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

// write changes the table, each writer the keys of its own, and publishes what
// it has committed in the order of the commits.
func (o *tableOwner) write(ctx context.Context) error {
	errs := make([]error, liveWriters)
	var wg sync.WaitGroup
	for n := range liveWriters {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(n)))
			tick := time.NewTicker(liveEvery)
			defer tick.Stop()
			for version := int64(2); errs[n] == nil; version++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					// What has begun is finished: a commit without its event would be
					// the outbox's to care for.
					errs[n] = o.change(context.WithoutCancel(ctx), r, n, version)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// change commits a batch of changes of different rows, and publishes them.
func (o *tableOwner) change(ctx context.Context, r *rand.Rand, writer int, version int64) error {
	const upsert = `INSERT INTO users VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET data = excluded.data, version = excluded.version`
	var batch pgx.Batch
	events := make([]replhub.Event, 0, liveBatch)
	seen := make(map[int]bool, liveBatch)
	for len(events) < liveBatch {
		i := r.IntN(snapshotRows*11/10/liveWriters)*liveWriters + writer // a tenth of them are new
		if seen[i] {
			continue
		}
		seen[i] = true
		ev := replhub.Event{Entity: "user", Key: userKey(i), Version: version}
		if r.IntN(5) == 0 {
			ev.Op = replhub.Delete
			batch.Queue(`DELETE FROM users WHERE id = $1`, ev.Key)
		} else {
			ev.Op, ev.Data = replhub.Update, []byte(userRow(i, version))
			batch.Queue(upsert, ev.Key, string(ev.Data), version)
		}
		events = append(events, ev)
	}
	if err := o.db.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("change rows: %w", err)
	}
	if _, err := o.client.PublishBatch(ctx, events); err != nil {
		return err
	}
	o.changes.Add(liveBatch)
	return nil
}

// table is what the owner has.
func (o *tableOwner) table() map[string]string {
	o.t.Helper()
	rows, err := o.db.Query(o.t.Context(), `SELECT id, data FROM users`)
	if err != nil {
		o.t.Fatal(err)
	}
	all := make(map[string]string)
	var id, data string
	_, err = pgx.ForEachRow(rows, []any{&id, &data}, func() error {
		all[id] = data
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

// checkRows insists that a lane's rows are numbered 1 to n, each once and in
// order, and returns n.
func checkRows(t *testing.T, lane []harness.Stored) int {
	t.Helper()
	n := 0
	for _, m := range lane {
		number := m.Header.Get("Replhub-Chunk")
		if number == "" {
			continue
		}
		if number != strconv.Itoa(n+1) {
			t.Fatalf("row %s follows row %d", number, n)
		}
		n++
	}
	return n
}

// replicaOf keeps, of each key, what stands furthest by epoch and sequence.
func replicaOf(t *testing.T, lane []harness.Stored) map[string]string {
	t.Helper()
	at := make(map[string][2]uint64)
	rows := make(map[string]string)
	for _, m := range lane {
		if m.Header.Get("Replhub-State") != "" {
			continue
		}
		epoch, err1 := strconv.ParseUint(m.Header.Get("Replhub-Epoch"), 10, 64)
		seq, err2 := strconv.ParseUint(m.Header.Get("Replhub-Seq"), 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		key := m.Header.Get("Replhub-Key")
		if have, known := at[key]; known && (have[0] > epoch || have[0] == epoch && have[1] >= seq) {
			continue
		}
		at[key] = [2]uint64{epoch, seq}
		rows[key] = string(m.Data)
		if m.Subject == "sub.billing.user.delete.0" {
			delete(rows, key)
		}
	}
	return rows
}

// differences tells how a replica differs from the table, by a first row.
func differences(table, replica map[string]string) string {
	missing, wrong, extra := 0, 0, 0
	example := ""
	for key, data := range table {
		have, there := replica[key]
		switch {
		case !there:
			missing++
		case have != data:
			wrong++
		default:
			continue
		}
		example = fmt.Sprintf("%s: %.60s, want %.60s", key, have, data)
	}
	for key := range replica {
		if _, there := table[key]; !there {
			extra++
			example = key + " is not in the table"
		}
	}
	if missing+wrong+extra == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows missing, %d wrong, %d too many: %s", missing, wrong, extra, example)
}
