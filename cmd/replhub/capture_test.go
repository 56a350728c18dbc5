package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

// captureBench is a hub and an owner's database.
type captureBench struct {
	hub *replhubtest.Hub
	*pgx.Conn
}

func newCaptureBench(t *testing.T, statements ...string) *captureBench {
	t.Helper()
	newBench(t)
	b := &captureBench{hub: replhubtest.Start(t)}
	t.Setenv("NATS_URL", b.hub.URL())
	dsn := sqltest.Postgres(t)
	t.Setenv("DATABASE_URL", dsn)
	var err error
	if b.Conn, err = pgx.Connect(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) })
	b.exec(t, statements...)
	return b
}

func (b *captureBench) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := b.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// The check says what stands in the way, with statements, and makes nothing.
func TestCaptureCheck(t *testing.T) {
	b := newCaptureBench(t, "CREATE TABLE users (id int PRIMARY KEY, name text)", "CREATE TABLE loose (a int)")
	args := []string{"capture", "postgres", "--service", "owner", "--table", "public.users=user", "--check"}
	if o := execute(t.Context(), "", args...); o.code != exitDone || !strings.Contains(o.stdout, "public.users is captured as user") {
		t.Errorf("%+v", o)
	}
	if o := execute(t.Context(), "", append(args, "--json")...); o.code != exitDone || !strings.Contains(o.stdout, `"findings": []`) {
		t.Errorf("%+v", o)
	}
	args = append(args, "--table", "public.loose", "--exclude", "public.users.id")
	if o := execute(t.Context(), "", args...); o.code != exitFailed || !strings.Contains(o.stderr, `ALTER TABLE "public"."loose" ADD PRIMARY KEY`) || !strings.Contains(o.stderr, "cannot be excluded") {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"capture"}, {"capture", "postgres"}, {"capture", "postgres", "--service", "owner"}, {"capture", "postgres", "--service", "owner", "--table", "users"}} {
		if o := execute(t.Context(), "", args...); o.code != exitUsage {
			t.Errorf("%v: %+v", args, o)
		}
	}
	var made int
	if err := b.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'replhub_owner')").Scan(&made); err != nil || made > 0 {
		t.Errorf("%d were made, %v", made, err)
	}
}

// The command captures what its file says until it is stopped, and shows how it fares;
// --resync publishes the rows again.
func TestCapturePostgres(t *testing.T) {
	b := newCaptureBench(t, "CREATE TABLE users (id int PRIMARY KEY, name text, secret text)",
		"CREATE TABLE box (id bigserial PRIMARY KEY, kind text, row_id text, body text)")
	config := filepath.Join(t.TempDir(), "capture.yaml")
	if err := os.WriteFile(config, []byte("service: owner\nslot: replhub_command\ntable: {public.users: user}\noutbox: {public.box: ['entity=:user', op=kind, key=row_id, payload=body]}\noutbox_delete: true\nexclude: [public.users.secret]\nno_emitted: true\nhttp_addr: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer replhubtest.Await(t, "the slot to be free", func() error {
		_, err := b.Exec(context.WithoutCancel(t.Context()), "SELECT pg_drop_replication_slot('replhub_command')")
		return err
	})
	stop := startCapture(t, config)
	b.exec(t, "INSERT INTO users VALUES (1, 'Ada', 'hush')", "UPDATE users SET name = 'Ada L' WHERE id = 1", "DELETE FROM users WHERE id = 1",
		`SELECT pg_logical_emit_message(true, 'replhub', '{"entity":"user","op":"update","key":"9","data":{"id":9}}')`, "INSERT INTO box (kind, row_id, body) VALUES ('read', '7', '{}')", "INSERT INTO users VALUES (2, 'Bob', 'hush')")
	b.await(t, `user create 1 {"id":1,"name":"Ada"}`, `user update 1 {"id":1,"name":"Ada L"}`, `user delete 1 {"id":1}`, `user read 7 {}`, `user create 2 {"id":2,"name":"Bob"}`)
	stop()
	b.exec(t, "UPDATE users SET name = 'Bob B'")
	stop = startCapture(t, config)
	b.await(t, `user update 2 {"id":2,"name":"Bob B"}`)
	stop()
	defer startCapture(t, config, "--resync")()
	b.await(t, `user update 2 {"id":2,"name":"Bob B"}`, `user update 2 {"id":2,"name":"Bob B"}`)
}

// startCapture starts the command and waits until it captures. stop stops it cleanly.
func startCapture(t *testing.T, config string, more ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr syncBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"capture", "postgres", "--config", config}, more...), strings.NewReader(""), &stdout, &stderr)
	}()
	address := regexp.MustCompile(`http=(\S+)`)
	replhubtest.Await(t, "the capture", func() error {
		found := address.FindStringSubmatch(stderr.String())
		if found == nil {
			return fmt.Errorf("no address in %s", stderr.String())
		}
		if figures := get(t, "http://"+found[1]+"/metrics"); !strings.Contains(figures, `replhub_capture_state{state="capturing"} 1`) {
			return fmt.Errorf("it does not capture: %s", stderr.String())
		}
		if ready := get(t, "http://"+found[1]+"/readyz"); !strings.Contains(ready, `"ready":true`) {
			return fmt.Errorf("it is not ready: %s", ready)
		}
		return nil
	}, replhubtest.Within(30*time.Second))
	return func() {
		t.Helper()
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("exit %d: %s", code, stderr.String())
		}
		if strings.Contains(stderr.String(), "hush") {
			t.Error("the log has values")
		}
	}
}

// await waits until the newest events of users are these.
func (b *captureBench) await(t *testing.T, want ...string) {
	t.Helper()
	nc, err := nats.Connect(b.hub.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "the events", func() error {
		got, err := usersOf(t.Context(), js)
		if len(got) < len(want) || strings.Join(got[len(got)-len(want):], "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("got %q, %w", got, err)
		}
		return nil
	}, replhubtest.Within(30*time.Second))
}

// usersOf are the events of users in ingest.
func usersOf(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	stream, err := js.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return nil, err
	}
	var events []string
	for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(ctx, seq)
		if err != nil {
			return nil, err
		}
		if op, ok := strings.CutPrefix(m.Subject, "db.user."); ok {
			events = append(events, fmt.Sprintf("user %s %s %s", op, m.Header.Get(contract.HeaderKey), m.Data))
		}
	}
	return events, nil
}
