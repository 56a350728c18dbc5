package examples_test

import (
	"database/sql"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub/replhubtest"
)

// rows reads a program's table.
func rows(t *testing.T, file, query string) replhubtest.Rows[map[string]any] {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return replhubtest.SQL(db, query)
}

func TestPublisherReachesSubscriber(t *testing.T) {
	hub := replhubtest.Start(t)
	dir := t.TempDir()
	url := "NATS_URL=" + hub.URL()
	publisher := start(t, dir, "publisher", []string{url})
	subscriber := start(t, dir, "subscriber", []string{url})
	for _, query := range []string{"SELECT id, name FROM people", "SELECT '42' AS id, 'Ada' AS name"} {
		replhubtest.Converged(t,
			rows(t, filepath.Join(dir, "user-profile.db"), "SELECT id, name FROM users"),
			rows(t, filepath.Join(dir, "sharing.db"), query), patience)
	}
	publisher.stop()
	subscriber.stop()
}

// patience allows for slow machines.
var patience = replhubtest.Within(time.Minute)

// The story for real: "replhub dev", the owner of the users, and two instances
// each of those who want them.
func TestRun(t *testing.T) {
	t.Setenv("NATS_URL", "")
	dir := t.TempDir()
	run := start(t, ".", "run", nil, "-changes", "46", "-pause", "5ms", "-port", "0", "-dir", dir)
	replhubtest.Await(t, "the last change", func() error {
		select {
		case <-run.done:
			t.Fatal("run ended by itself")
		default:
		}
		if !strings.Contains(run.said.String(), "46 changes are made") {
			return errors.New("not yet")
		}
		return nil
	}, replhubtest.Within(2*time.Minute))
	users, sharing, application := filepath.Join(dir, "user-profile.db"), filepath.Join(dir, "sharing.db"), filepath.Join(dir, "application.db")
	for _, tt := range []struct{ source, query, replica, like string }{
		{users, "SELECT id, name FROM users", sharing, "SELECT id, name FROM people"},
		{users, "SELECT id, tenant, email FROM users WHERE tenant = 'acme'", application, "SELECT id, tenant, email FROM accounts"},
		{users, "SELECT id, 'welcome' AS document FROM users", sharing, "SELECT id, document FROM shares"},
		{sharing, "SELECT id, document FROM shares", application, "SELECT id, document FROM grants"},
	} {
		replhubtest.Converged(t, rows(t, tt.source, tt.query), rows(t, tt.replica, tt.like), patience)
	}
	run.stop()
	said := run.said.String()
	if !strings.HasSuffix(said, "stopped\n") {
		t.Errorf("the end is not said:\n%s", said)
	}
	for _, who := range []string{"sharing", "application"} {
		lines := regexp.MustCompile(`(?m)^`+who+`/[12] .*$`).FindAllString(said, -1)
		if len(lines) == 0 {
			t.Errorf("%s says nothing", who)
		}
		for _, line := range lines {
			if strings.Contains(line, "$2b$") || strings.Contains(line, "globex") || !strings.Contains(line, " got ") {
				t.Errorf("not expected: %s", line)
			}
		}
	}
	url := regexp.MustCompile(`nats://([0-9.:]+)`).FindStringSubmatch(said)
	if url == nil {
		t.Fatalf("no URL of NATS in:\n%s", said)
	}
	if conn, err := net.DialTimeout("tcp", url[1], time.Second); err == nil {
		_ = conn.Close()
		t.Errorf("%s is left behind", url[0])
	}
}
