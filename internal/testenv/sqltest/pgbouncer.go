package sqltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PgBouncer returns the DSN of a fresh database as [Postgres] does, by way of a
// PgBouncer of the test's own, which pools by "transaction", "session" or
// "statement". It lends four connections of the server to any number of clients.
// Of pgx's ways to run a statement, "exec" and "simple_protocol"
// (default_query_exec_mode) prepare none, which transaction pooling needs before
// PgBouncer 1.21.
func PgBouncer(tb testing.TB, pooling string) string {
	tb.Helper()
	target := Postgres(tb)
	found, err := exec.LookPath("pgbouncer")
	if err != nil {
		found, err = exec.LookPath("/usr/sbin/pgbouncer")
	}
	if err != nil {
		tb.Fatalf("PgBouncer is not installed (apt-get install pgbouncer): %v", err)
	}
	run, dir := ownDir(tb, "postgres")
	config := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(config, []byte(pgbouncerConfig(target, dir, pooling)), 0o644); err != nil {
		tb.Fatal(err)
	}
	p, err := startProcess(run, dir, found, config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(syscall.SIGINT, endWithin); err != nil {
			tb.Errorf("stop PgBouncer: %v", err)
		}
	})
	dsn := fmt.Sprintf("host=%s port=6432 user=postgres dbname=%s", dir, field(target, "dbname"))
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	if err := p.Await(ctx, "PgBouncer", func(ctx context.Context) error { return pingPooled(ctx, dsn) }); err != nil {
		tb.Fatal(err)
	}
	return dsn
}

func pgbouncerConfig(target, dir, pooling string) string {
	return fmt.Sprintf(`[databases]
%s = host=%s user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = %s
auth_type = any
pool_mode = %s
default_pool_size = 4
max_client_conn = 100
`, field(target, "dbname"), field(target, "host"), dir, pooling) // auth_type any: every client is the user that the target names
}

// field is a field of a DSN.
func field(dsn, name string) string {
	for f := range strings.FieldsSeq(dsn) {
		if value, ok := strings.CutPrefix(f, name+"="); ok {
			return value
		}
	}
	return ""
}

func pingPooled(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn+" default_query_exec_mode=simple_protocol")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT 1")
	return errors.Join(err, conn.Close(ctx))
}
