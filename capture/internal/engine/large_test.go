//go:build long

package engine_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// largest is what the capture may have in memory, whatever the size of a transaction.
const largest = 160 << 20

// A transaction of millions of rows goes through a bounded memory. CAPTURE_ROWS gives the
// number of rows, 5 million if it is none.
func TestLargeTransaction(t *testing.T) {
	rows, err := strconv.ParseUint(os.Getenv("CAPTURE_ROWS"), 10, 64)
	if err != nil || rows < 1000 {
		rows = 5_000_000
	}
	hub := cluster.StartNATS(t)
	b := newBenchOn(t, sqltest.Postgres(t), hub.URL(), 1, users)
	b.exec(fmt.Sprintf("INSERT INTO users SELECT g, 'name ' || g, repeat('x', 50) FROM generate_series(1, %d) g", rows))
	e, _ := b.run()
	var most uint64
	for stored, seen := uint64(0), uint64(0); stored < rows; seen = stored {
		b.eventually("more rows are stored", func() error {
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapInuse)
			if stored = e.Counts().Events.Load(); stored == seen {
				return fmt.Errorf("%d of %d", stored, rows)
			}
			return nil
		})
	}
	t.Logf("%d rows, at most %d MiB in use", rows, most>>20)
	if most > largest {
		t.Errorf("%d MiB in use, more than %d", most>>20, largest>>20)
	}
	stream, err := b.js.Stream(t.Context(), contract.StreamIngest)
	if err != nil {
		t.Fatal(err)
	}
	const subject = "db.users.create"
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		t.Fatal(err)
	}
	if n := info.State.Subjects[subject]; n != rows {
		t.Errorf("%d events in ingest for %d rows", n, rows)
	}
}
