package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/replhubtest"
)

// The command says whether a replica is equal, in words, as JSON and by its exit code, and
// repairs it.
func TestVerifyCommand(t *testing.T) {
	hub := replhubtest.Start(t)
	t.Setenv("NATS_URL", hub.URL())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "replica.db")
	db, err := sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; "+statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE people (id text PRIMARY KEY, name text, town text)")
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	owner := hub.Client(t, "accounts")
	running.Go(func() {
		err := owner.ServeSnapshot(ctx, "user", func(_ context.Context, after string, yield func(replhub.Event) error) error {
			for n := range 100 {
				key := fmt.Sprintf("u%02d", n)
				if key <= after {
					continue
				}
				if err := yield(replhub.Event{Key: key, Data: fmt.Appendf(nil, `{"id":%q,"name":"n%d","address":{"city":"c%d"}}`, key, n, n)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		_, err := apply.Run(ctx, apply.Config{
			Service: "sharing", DSN: dsn, NATS: replhub.Config{URL: hub.URL()}, Start: replhub.StartSnapshot(), Logger: slog.New(slog.DiscardHandler),
			Tables: []apply.Table{{Entity: "user", Table: "people", Columns: map[string]string{"town": "address.city"}}},
		})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	replhubtest.Await(t, "the rows", func() error {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM people").Scan(&n); err != nil || n < 100 {
			return fmt.Errorf("%d rows, %w", n, err)
		}
		return nil
	}, replhubtest.Within(20*time.Second))
	verify := func(more ...string) outcome {
		return execute(t.Context(), "", append([]string{"verify", "sharing", "--dsn", dsn, "--table", "user=people", "--map", "user.address.city=town", "--settle", "50ms"}, more...)...)
	}
	if o := verify(); o.code != exitDone || !strings.HasPrefix(o.stdout, "user: equal: 100 rows, 0 missing, 0 extra, 0 different") {
		t.Errorf("equal: %+v", o)
	}
	exec("DELETE FROM people WHERE id = 'u01'; UPDATE people SET town = 'x' WHERE id = 'u02'; INSERT INTO people VALUES ('z', 'z', 'z')")
	o := verify()
	for _, part := range []string{"1 missing, 1 extra, 1 different", "u01  missing    -", "u02  different  town\n", "z    extra      -"} {
		if !strings.Contains(o.stdout, part) || o.code != exitFailed {
			t.Errorf("different: no %q in %+v", part, o)
		}
	}
	if o := verify("--values"); !strings.Contains(o.stdout, "town: c2, here x") {
		t.Errorf("values: %+v", o)
	}
	var report verifyReport
	if o := verify("--json", "--repair"); o.code != exitDone || json.Unmarshal([]byte(o.stdout), &report) != nil || report.Tables[0].Repaired != 3 || !report.Equal {
		t.Errorf("repair: %+v", o)
	}
	if o := verify("--json"); o.code != exitDone || strings.Contains(o.stdout, "error") {
		t.Errorf("after the repair: %+v", o)
	}
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"no table":        {[]string{"verify", "sharing", "--dsn", dsn}, exitUsage},
		"another service": {[]string{"verify", "nobody", "--dsn", dsn, "--table", "user=people"}, exitNotCompared},
		"another table":   {[]string{"verify", "sharing", "--dsn", dsn, "--table", "user=nothing"}, exitNotCompared},
	} {
		if o := execute(t.Context(), "", c.args...); o.code != c.code {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
