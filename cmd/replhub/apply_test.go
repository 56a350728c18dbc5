package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

// applyBench is a hub and a database for apply.
type applyBench struct {
	hub *replhubtest.Hub
	db  *sql.DB
	dsn string
}

func newApplyBench(t *testing.T, driver, dsn string) *applyBench {
	t.Helper()
	clearEnvironment(t)
	b := &applyBench{hub: replhubtest.Start(t), dsn: dsn}
	t.Setenv("NATS_URL", b.hub.URL())
	t.Setenv("DATABASE_URL", dsn)
	var err error
	if b.db, err = sql.Open(driver, dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	return b
}

func (b *applyBench) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := b.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (b *applyBench) one(t *testing.T, query string) string {
	t.Helper()
	var text sql.NullString
	if err := b.db.QueryRowContext(context.WithoutCancel(t.Context()), query).Scan(&text); err != nil {
		return err.Error()
	}
	return text.String
}

func (b *applyBench) becomes(t *testing.T, query, want string) {
	t.Helper()
	replhubtest.Await(t, query, func() error {
		if got := b.one(t, query); got != want {
			return fmt.Errorf("%s, want %s", got, want)
		}
		return nil
	})
}

func (b *applyBench) users(t *testing.T, from, to int, name string) {
	t.Helper()
	var events []replhub.Event
	for i := from; i < to; i++ {
		events = append(events, replhub.Event{Entity: "user", Op: replhub.Update, Key: fmt.Sprint(i), Data: fmt.Appendf(nil, `{"id":"%d","name":%q,"address":{"city":"Łódź"}}`, i, name)})
	}
	b.hub.Publish(t, events...)
}

// The command makes a table, fills it and ends; a dry run shows the table and makes none.
func TestApplyOnce(t *testing.T) {
	b := newApplyBench(t, "sqlite", sqltest.SQLite(t))
	b.users(t, 0, 30, "Ada")
	args := []string{"apply", "sharing", "--table", "user=people", "--map", "user.address.city=city", "--start", "earliest", "--create", "--once", "--http-addr", "none"}
	dry := execute(t.Context(), "", append(args, "--dry-run")...)
	if dry.code != exitDone || !strings.HasPrefix(dry.stdout, `CREATE TABLE "people" (`) || strings.Contains(b.one(t, "SELECT count(*) FROM people"), "30") {
		t.Fatalf("%+v", dry)
	}
	o := execute(t.Context(), "", append(args, "--json")...)
	var reply applyReply
	if err := json.Unmarshal([]byte(o.stdout), &reply); err != nil || o.code != exitDone || reply.Tables[0].Applied != 30 || len(reply.Statements) != 1 {
		t.Fatalf("%v, %+v", err, o)
	}
	if got := b.one(t, "SELECT count(*) || max(city) FROM people"); got != "30Łódź" {
		t.Error(got)
	}
	again := execute(t.Context(), "", args...)
	if again.code != exitDone || !strings.Contains(again.stdout, "caught up") {
		t.Errorf("%+v", again)
	}
	live := execute(t.Context(), "", "apply", "sharing", "--table", "user=others", "--where", "user=data.id == '1'", "--create", "--dry-run", "--http-addr", "none")
	if live.code != exitDone || !strings.Contains(live.stdout, "the registration would be changed: user: filter") || !strings.Contains(live.stdout, "is registered already") {
		t.Errorf("a dry run for a service that works: %+v", live)
	}
}

// A run that leaves a dead letter is no success, nor is one that does not fit.
func TestApplyOnceFails(t *testing.T) {
	b := newApplyBench(t, "sqlite", sqltest.SQLite(t))
	b.exec(t, "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT NOT NULL)")
	b.users(t, 0, 3, "Ada")
	b.hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Update, Key: "9", Data: []byte(`{"id":"9"}`)})
	args := []string{"apply", "sharing", "--start", "earliest", "--once", "--json", "--http-addr", "none"}
	o := execute(t.Context(), "", append(args, "--table", "user=people")...)
	if o.code != exitFailed || !strings.Contains(o.stdout, `"dead_letters": 1`) || !strings.Contains(o.stdout, `"code": "partly"`) || !strings.Contains(o.stderr, "dlq redrive sharing --all") {
		t.Errorf("%+v", o)
	}
	o = execute(t.Context(), "", append(args, "--table", "user=humans", "--table", "tenant=people")...)
	if o.code != exitFailed || !strings.Contains(o.stdout, `"findings": [`) || !strings.Contains(o.stderr, "table humans: it does not exist; there are people") {
		t.Errorf("%+v", o)
	}
}

// Secrets of a DSN are in no output.
func TestApplyHidesSecrets(t *testing.T) {
	newBench(t)
	for _, dsn := range []string{
		"postgres://ada:hush%zz@localhost/db", "postgres://ada:hush@localhost:1/db?connect_timeout=2", "host=localhost port=1 password=hush dbname=db connect_timeout=2",
		"mysql://ada:hush@localhost:1/db", "mysql://ada:hush@[/db", "ada:hush@tcp(localhost:1)/db", "ada:hush@tcp(localhost:1)/db?timeout=hush", "redis://ada:hush@localhost", "hush",
	} {
		o := execute(t.Context(), "", "apply", "sharing", "--table", "user=people", "--dsn", dsn, "--http-addr", "none", "--once")
		if o.code == exitDone || strings.Contains(o.stdout+o.stderr, "hush") || o.stderr == "" {
			t.Errorf("%s: %+v", dsn, o)
		}
	}
}

// YAML, variables and flags come to the same, and what is wrong with them is of usage.
func TestApplySettings(t *testing.T) {
	newBench(t)
	parse := func(args ...string) (apply.Config, error) {
		f := &applyFlags{}
		cmd := &cobra.Command{Use: "apply", SilenceErrors: true, SilenceUsage: true}
		var cfg apply.Config
		cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
			cfg, err = f.config(cmd.Flags(), args[0])
			return err
		}
		var a app
		a.conn.register(cmd.Flags())
		f.register(cmd)
		f.bridgeFlags.register(cmd, defaultApplyAddr, true)
		cmd.SetArgs(append([]string{"sharing"}, args...))
		return cfg, cmd.Execute()
	}
	flags, err := parse("--dsn", "sqlite:r.db", "--table", "user=people", "--table", "tenant=app.tenants", "--map", "user.address.city=city", "--key", "tenant=uid",
		"--ignore", "user.note", "--where", "user=data.a == 'b=c'", "--start", "snapshot", "--workers", "3", "--once", "--create")
	if err != nil || flags.Tables[0].Columns["city"] != "address.city" || flags.Tables[0].Where != "data.a == 'b=c'" || flags.Tables[1].Key != "uid" || !flags.Once {
		t.Fatalf("%+v, %v", flags, err)
	}
	path := filepath.Join(t.TempDir(), "apply.yaml")
	text := "dsn: sqlite:r.db\ntable: {user: people, tenant: app.tenants}\nmap: {user.address.city: city}\nkey: {tenant: uid}\nignore: [user.note]\n" +
		"where: {user: \"data.a == 'b=c'\"}\nstart: snapshot\nworkers: 3\nonce: true\ncreate: true\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	same := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Start" }, cmp.Comparer(func(a, b replhub.Start) bool { return a == b }))
	ignored := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "sampling" || p.String() == "look" }, cmp.Ignore())
	yaml, err := parse("--config", path)
	if diff := cmp.Diff(flags, yaml, same, ignored, cmp.AllowUnexported(apply.Config{})); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, wrong := range [][]string{
		{"--table", "user"},
		{"--table", "user=p", "--map", "user.a"},
		{"--table", "user=p", "--map", "tenant.a=b"},
		{"--start", "never"},
		{"--workers", "0"},
		{"--table", "user=p", "--map", "user.a=x", "--map", "user.b=x"},
		{"--table", "user=p", "--where", "user="},
	} {
		if _, err := parse(wrong...); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

// Two instances share the work; one of them is killed, the database goes away and comes
// back, and the rows are equal.
func TestApplyKilledAndDatabaseAway(t *testing.T) {
	server := sqltest.OwnPostgres(t)
	b := newApplyBench(t, "pgx", server.DSN())
	b.exec(t, `CREATE TABLE people (id text PRIMARY KEY, name text)`)
	var processes []*exec.Cmd
	for range 2 {
		cmd := exec.Command(os.Args[0], "apply", "sharing", "--table", "user=people", "--start", "earliest", "--workers", "2", "--http-addr", "none")
		cmd.Env = append(os.Environ(), asCommand+"=1")
		cmd.Stderr = testWriter{t}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		processes = append(processes, cmd)
	}
	b.users(t, 0, 2000, "old")
	replhubtest.Await(t, "rows", func() error {
		if b.one(t, "SELECT count(*) > 100 FROM people") != "true" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if err := processes[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.users(t, 500, 1000, "new")
	b.becomes(t, "SELECT count(*) || max(name) || min(name) FROM people", "2000oldnew")
	server.Crash()
	b.users(t, 1000, 1500, "new")
	b.hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Delete, Key: "7"})
	server.Start()
	b.becomes(t, "SELECT count(*) FILTER (WHERE name = 'new') || ' ' || count(*) FROM people", "1000 1999")
	if n := b.hub.DeadLetters(t, "sharing"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if err := processes[1].Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := processes[1].Wait(); err != nil {
		t.Errorf("a clean stop: %v", err)
	}
}

type testWriter struct{ t *testing.T }

// Write implements io.Writer.
func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// The instance serves health and metrics, each of which the page names.
func TestApplyHTTP(t *testing.T) {
	b := newApplyBench(t, "sqlite", sqltest.SQLite(t))
	b.exec(t, "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT, extra TEXT)")
	b.users(t, 0, 3, "Ada")
	r := start(t, "apply", "sharing", "--table", "user=people", "--start", "earliest", "--http-addr", "127.0.0.1:0")
	at := "http://" + field(t, r.stderr.await(t, "msg=starting"), "http")
	b.becomes(t, "SELECT count(*) FROM people", "3")
	body := func(path string) string {
		resp, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	if got := body("/readyz"); !strings.Contains(got, `"ready":true`) || !strings.Contains(got, `"command":"apply"`) {
		t.Error(got)
	}
	replhubtest.Await(t, "metrics", func() error {
		if got := body("/metrics"); !strings.Contains(got, `replhub_apply_changes_total{entity="user",outcome="applied",service="sharing",table="people"} 3`) || !strings.Contains(got, contract.MetricApplyLag) {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	page, err := os.ReadFile("../../docs/apply.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range contract.ApplyMetrics() {
		if !regexp.MustCompile("`" + m.Name + "`").Match(page) {
			t.Errorf("docs/apply.md does not name %s", m.Name)
		}
	}
	r.stop()
	if code := r.ended(t); code != exitDone {
		t.Errorf("exit %d", code)
	}
}
