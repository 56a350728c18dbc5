package replhub_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// BenchmarkBatchSize upserts events into a PostgreSQL that syncs, one transaction
// and one statement for each batch; size 1 is a handler of one delivery. Its events
// are of 1000 keys in turn. To compare the sizes, run them in one go:
//
//	go test -run xxx -bench BatchSize -benchtime 20000x -count 3 .
func BenchmarkBatchSize(b *testing.B) {
	for _, workers := range []int{1, 8} {
		for _, size := range []int{1, 10, 100, 250, 500, 1000} {
			b.Run(fmt.Sprintf("workers=%d/size=%d", workers, size), func(b *testing.B) { benchmarkBatches(b, workers, size) })
		}
	}
}

func benchmarkBatches(b *testing.B, workers, size int) {
	server := sqltest.OwnPostgres(b)
	db, err := sql.Open("pgx", server.DSN())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxIdleConns(workers)
	if _, err := db.ExecContext(b.Context(), "CREATE TABLE replica (key text PRIMARY KEY, data bytea)"); err != nil {
		b.Fatal(err)
	}
	client, err := replhub.Connect(b.Context(), replhub.Config{
		Conn: lane(b, replhub.Queue{Order: replhub.OrderNone}), Service: "sharing", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var handled, batches atomic.Int64
	all := make(chan struct{})
	apply := func(ctx context.Context, batch ...*replhub.Delivery) error {
		if err := upsert(ctx, db, batch); err != nil {
			return err
		}
		batches.Add(1)
		if handled.Add(int64(len(batch))) == int64(b.N) {
			close(all)
		}
		return nil
	}
	ctx, cancel := context.WithCancel(b.Context())
	sub := replhub.SubscriberConfig{Workers: workers, MaxBatch: size}
	done := make(chan error, 1)
	b.ResetTimer()
	go func() {
		if size == 1 {
			done <- client.RunSubscriber(ctx, sub, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error { return apply(ctx, d) }))
			return
		}
		done <- client.RunBatchSubscriber(ctx, sub, replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
			return apply(ctx, batch...)
		}))
	}()
	<-all
	report(b)
	b.ReportMetric(float64(b.N)/float64(batches.Load()), "events/batch")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// upsert writes the last of each key in one statement.
func upsert(ctx context.Context, db *sql.DB, batch []*replhub.Delivery) error {
	newest := make(map[string]*replhub.Delivery, len(batch))
	for _, d := range batch {
		newest[d.Key] = d
	}
	var statement strings.Builder
	statement.WriteString("INSERT INTO replica VALUES ")
	args := make([]any, 0, 2*len(newest))
	for key, d := range newest {
		if len(args) > 0 {
			statement.WriteByte(',')
		}
		args = append(args, key, d.Data)
		fmt.Fprintf(&statement, "($%d,$%d)", len(args)-1, len(args))
	}
	statement.WriteString(" ON CONFLICT (key) DO UPDATE SET data = excluded.data")
	_, err := db.ExecContext(ctx, statement.String(), args...)
	return err
}
