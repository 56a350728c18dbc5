package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// benchRows is the number of rows, in transactions of benchTx.
const (
	benchRows = 200_000
	benchTx   = 100
)

// BenchmarkCapture stores the changes of a slot in the ingest of a nats-server of its
// own, beside pg_recvlogical, which decodes the same changes and throws them away.
func BenchmarkCapture(tb *testing.B) {
	dsn := sqltest.Postgres(tb)
	hub := cluster.StartNATS(tb)
	js := jetStream(tb, hub.URL())
	db, err := pgx.Connect(tb.Context(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close(context.Background())
	exec := func(statement string) {
		if _, err := db.Exec(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	makeIngest(tb, js, 1)
	exec("CREATE TABLE items (id int PRIMARY KEY, name text, city text, n bigint, at timestamptz DEFAULT now())")
	exec("CREATE PUBLICATION captured FOR ALL TABLES")
	exec("SELECT pg_create_logical_replication_slot('bench_capture', 'pgoutput'), pg_create_logical_replication_slot('bench_receive', 'pgoutput')")
	exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 0..%d LOOP
		INSERT INTO items SELECT i * %d + g, 'name ' || g, 'city ' || i, g * 7 FROM generate_series(1, %[2]d) g; COMMIT; END LOOP; END $$`, benchRows/benchTx-1, benchTx))
	var end string
	if err := db.QueryRow(tb.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&end); err != nil {
		tb.Fatal(err)
	}

	postmaster := parent(tb, int(db.PgConn().PID()))
	decoding := family(tb, postmaster)
	received := receive(tb, dsn, end)
	decoding = family(tb, postmaster) - decoding
	tb.ResetTimer()
	own, server, sending := cpu(tb, os.Getpid()), cpu(tb, hub.PID()), family(tb, postmaster)
	taken := captureUntil(tb, dsn, js, benchRows)
	own, server, sending = cpu(tb, os.Getpid())-own, cpu(tb, hub.PID())-server, family(tb, postmaster)-sending
	// On a machine with other work, the time of the processors says more than the rate.
	tb.ReportMetric(float64(decoding.Microseconds())/benchRows, "decode-µs/row")
	tb.ReportMetric(float64(sending.Microseconds())/benchRows, "postgres-µs/row")
	tb.ReportMetric(float64(own.Microseconds())/benchRows, "own-µs/row")
	tb.ReportMetric(float64(server.Microseconds())/benchRows, "nats-µs/row")
	tb.ReportMetric(benchRows/received.Seconds(), "received/s")
	tb.ReportMetric(benchRows/taken.Seconds(), "captured/s")
	tb.ReportMetric(received.Seconds()/taken.Seconds(), "of-pg_recvlogical")
	stream, err := js.Stream(tb.Context(), contract.StreamIngest)
	if err != nil {
		tb.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n < benchRows {
		tb.Fatalf("%d events", n)
	}
}

// cpu is the time that a process has had of the processors, in steps of 10 ms.
func cpu(tb *testing.B, pid int) time.Duration {
	tb.Helper()
	return processorTime(tb, stat(tb, pid)[11:13])
}

// family is the time of a process, and of its children, also of those that have ended.
func family(tb *testing.B, pid int) time.Duration {
	tb.Helper()
	all := processorTime(tb, stat(tb, pid)[11:15])
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		tb.Fatal(err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		id, err := strconv.Atoi(child)
		if err != nil {
			tb.Fatal(err)
		}
		all += cpu(tb, id)
	}
	return all
}

func parent(tb *testing.B, pid int) int {
	tb.Helper()
	id, err := strconv.Atoi(stat(tb, pid)[1])
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// stat are the fields of /proc/<pid>/stat from the state on.
func stat(tb *testing.B, pid int) []string {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

func processorTime(tb *testing.B, fields []string) time.Duration {
	tb.Helper()
	var ticks int64
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond
	return time.Duration(ticks) * tick
}

// receive is how long pg_recvlogical takes for everything up to an LSN.
func receive(tb *testing.B, dsn, end string) time.Duration {
	tb.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_recvlogical")
	if err != nil || len(found) == 0 {
		tb.Fatal("pg_recvlogical is not installed (apt-get install postgresql)")
	}
	began := time.Now()
	out, err := exec.CommandContext(tb.Context(), found[len(found)-1], "-d", dsn, "-S", "bench_receive", "--start", "--no-loop", "-E", end,
		"-o", "proto_version=1", "-o", "publication_names=captured", "-f", "/dev/null").CombinedOutput()
	if err != nil {
		tb.Fatalf("pg_recvlogical: %v: %s", err, out)
	}
	return time.Since(began)
}

func captureUntil(tb *testing.B, dsn string, js jetStreamer, rows uint64) time.Duration {
	tb.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	e := engine.New(engine.Config{
		Database: config, JS: js, Slot: "bench_capture", Publication: "captured", Tables: quickTables{}, Service: "owner",
		Logger: slog.New(slog.NewTextHandler(tb.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- e.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.Counts().Events.Load() < rows {
		select {
		case <-tick.C:
		case err := <-ended:
			tb.Fatal(err)
		}
	}
	taken := time.Since(began)
	tb.Logf("%d events in %d appends, stored up to %s", e.Counts().Events.Load(), e.Counts().Appends.Load(), e.Status().Stored.Commit)
	cancel()
	if err := <-ended; err != nil {
		tb.Fatal(err)
	}
	return taken
}

// quickTables write JSON with little work.
type quickTables struct{}

func (quickTables) Table(_ context.Context, rel *change.Relation) (change.Table, error) {
	return &quickTable{plainTable{rel: *rel, keys: []int{0}}}, nil
}

func (quickTables) Filled(context.Context, *change.Relation, string) (bool, error) { return false, nil }

func (quickTables) Outbox(context.Context, *change.Relation) (change.Outbox, error) { return nil, nil }

type quickTable struct{ plainTable }

func (t *quickTable) Row(dst []byte, row change.Tuple) ([]byte, error) {
	for i, v := range row {
		separator := `,"`
		if i == 0 {
			separator = `{"`
		}
		dst = append(append(append(append(dst, separator...), t.rel.Columns[i].Name...), `":"`...), v.Text...)
		dst = append(dst, '"')
	}
	return append(dst, '}'), nil
}
