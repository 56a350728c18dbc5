package outbox_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/outbox"
)

// pooled is PostgreSQL behind a PgBouncer.
func pooled(pooling, mode string) dialect {
	return dialect{database.Postgres, "pgx", func(tb testing.TB) string {
		return sqltest.PgBouncer(tb, pooling) + " default_query_exec_mode=" + mode
	}, ""}
}

// Behind PgBouncer everything works, with transaction pooling as long as the
// driver prepares no statements.
func TestPgBouncer(t *testing.T) {
	for name, d := range map[string]dialect{
		"session":                     pooled("session", "cache_statement"),
		"transaction/exec":            pooled("transaction", "exec"),
		"transaction/simple_protocol": pooled("transaction", "simple_protocol"),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, d, outbox.Config{})
			p.db.SetMaxOpenConns(3) // in a session pool of four, each client keeps one
			p.run(p.bus.client)
			const writers, each, keys = 4, 25, 7
			var mu sync.Mutex
			committed := map[string]int{}
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for i := range each {
						key := strconv.Itoa((w + i) % keys)
						p.retry(func() error { return p.write(key, 2, i%5 == 0) })
						if i%5 != 0 {
							mu.Lock()
							committed[key] += 2
							mu.Unlock()
						}
					}
				})
			}
			all.Wait()
			p.emptied()
			if _, err := p.box.NewGeneration(t.Context(), p.db); err != nil {
				t.Error(err)
			}
			if _, err := p.box.Requeue(t.Context(), p.db); err != nil {
				t.Error(err)
			}
			assertOrder(t, p.bus.stored(writers*each*2*4/5), committed)
		})
	}
}

// With the driver's own way, which prepares statements, Enqueue fails now and then
// behind a transaction pool that keeps none, as PgBouncer's does before 1.21. The
// error says which setting helps, and nothing is half done.
func TestPgBouncerWithPreparedStatements(t *testing.T) {
	p := newPlace(t, pooled("transaction", "exec"), outbox.Config{})
	plain := p.open()
	plain.SetMaxOpenConns(4)
	p.dataSource = p.dataSource[:len(p.dataSource)-len("exec")] + "cache_statement"
	p.db = p.open()
	var all sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	for w := range 4 {
		all.Go(func() {
			for i := range 25 {
				if err := p.tryEnqueue(user(strconv.Itoa(w*100 + i))); err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for _, err := range failures {
		if !strings.Contains(err.Error(), "default_query_exec_mode=exec") {
			t.Errorf("does not say what to do: %v", err)
		}
	}
	var rows, versions int
	if err := plain.QueryRowContext(t.Context(), "SELECT (SELECT COUNT(*) FROM replhub_outbox), (SELECT COUNT(*) FROM replhub_outbox_versions)").Scan(&rows, &versions); err != nil {
		t.Fatal(err)
	}
	if rows != 100-len(failures) || versions != rows {
		t.Errorf("%d rows and %d versions, %d of 100 failed", rows, versions, len(failures))
	}
}
