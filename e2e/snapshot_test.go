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
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

const (
	// liveWriters make liveBatch changes each every liveEvery: 2000 a second.
	liveWriters = 8
	liveBatch   = 10
	liveEvery   = 40 * time.Millisecond
)

// TestSnapshotUnderKills has a new service fetch a table of PostgreSQL while its
// owner makes 2000 changes a second in it, and kills the hub three times. Each
// row comes once, and the service's own table ends equal to the owner's.
func TestSnapshotUnderKills(t *testing.T) {
	o := newTableOwner(t, snapshotRows)
	copied := o.copyAside()
	r := newTableReplica(t)

	w := harness.New(t, harness.Options{Binary: binary, Seed: 91})
	h := w.StartHub("h1")
	o.connect(w.NATS.URL())
	stopServing := background(t, func(ctx context.Context) error { return o.client.ServeSnapshot(ctx, "user", o.rows) })
	stopWriting := background(t, o.write)

	began, down := time.Now(), time.Duration(0)
	stopReplica := r.subscribe(w.NATS.URL())
	const kills = 3
	for i := range kills {
		awaitRows(w, uint64((i+1)*snapshotRows/(kills+1)))
		h.Kill()
		at := time.Now()
		h.Start()
		down += time.Since(at)
	}
	awaitLane(w, "all rows", func(s contract.LaneStatus) bool { return s.Fill == nil })
	took, changes := time.Since(began), o.changes.Load()
	awaitApplied(w)
	complete := time.Since(began)
	stopWriting()
	awaitLane(w, "the last changes", func(s contract.LaneStatus) bool { return s.State == contract.LaneLive && s.Lag == 0 && s.Backlog == 0 })
	stopServing()
	stopReplica()

	if rows := checkRows(t, w.Read("SUB_billing")); rows < snapshotRows*9/10 {
		t.Errorf("%d rows of a table of %d", rows, snapshotRows)
	}
	if diff := differences(o.table(), r.table()); diff != "" {
		t.Error(diff)
	}
	did := r.inbox.Stats()
	if did.Stale == 0 || did.Tombstones == 0 {
		t.Errorf("nothing was put to the test: %+v", did)
	}
	rate := func(d time.Duration) int { return int(float64(snapshotRows) / d.Seconds()) }
	t.Logf("%d rows a second into the lane, %d kills included (%d while the hub was up), beside %.0f changes a second; plain COPY into another table: %d rows a second",
		rate(took), kills, rate(took-down), float64(changes)/took.Seconds(), rate(copied))
	t.Logf("%d rows a second into the replica, complete after %.1f s; %+v", rate(complete), complete.Seconds(), did)
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

// awaitLane waits until the lane's status is as it should be.
func awaitLane(w *harness.World, what string, is func(contract.LaneStatus) bool) {
	w.Eventually(what, settleWithin, func() error {
		if s := w.Describe("billing"); !is(s) {
			return fmt.Errorf("%s: lag %d, backlog %d, fill %+v", s.State, s.Lag, s.Backlog, s.Fill)
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
	db, err := pgxpool.New(t.Context(), sqltest.Postgres(t)+" pool_max_conns=12")
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
func background(t *testing.T, do func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(stop)
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
// it has committed in the order of the commits. A writer that is late makes up
// for it: the rate is that of the clock.
func (o *tableOwner) write(ctx context.Context) error {
	errs := make([]error, liveWriters)
	var wg sync.WaitGroup
	began := time.Now()
	for n := range liveWriters {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(n)))
			due := time.NewTimer(0)
			defer due.Stop()
			for version := int64(2); errs[n] == nil; version++ {
				select {
				case <-ctx.Done():
					return
				case <-due.C:
					// What has begun is finished: a commit without its event would be
					// the outbox's to care for.
					errs[n] = o.change(context.WithoutCancel(ctx), r, n, version)
					due.Reset(time.Until(began.Add(time.Duration(version-1) * liveEvery)))
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
		i := r.IntN(snapshotRows*11/10/liveWriters)*liveWriters + writer // a tenth of the rows are new
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
	return usersOf(o.t, o.db, `SELECT id, data::json->>'name', version FROM users`)
}

// checkRows insists that a lane's rows are numbered 1 to n, each once and in
// order, and returns n.
func checkRows(t *testing.T, lane []harness.Stored) int {
	t.Helper()
	n := 0
	for _, m := range lane {
		number := m.Header.Get("Replhub-Row")
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
