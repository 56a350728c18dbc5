package examples_test

import (
	"database/sql"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

// The story for real: "replhub dev", and two instances each of the owner of the
// users and of those who want them.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	run := start(t, ".", "run", []string{"NATS_URL=", "DATABASE_URL="}, "-changes", "34", "-pause", "5ms", "-port", "0", "-dir", dir)
	run.awaits("34 changes are made")
	users, sharing, application := file(t, dir, "user-profile.db"), file(t, dir, "sharing.db"), file(t, dir, "application.db")
	for _, tt := range []struct {
		source  *sql.DB
		query   string
		replica *sql.DB
		like    string
	}{
		{users, "SELECT id, name FROM users", sharing, "SELECT id, name FROM people"},
		{users, "SELECT id, tenant, email FROM users WHERE tenant = 'acme'", application, "SELECT id, tenant, email FROM accounts"},
		{users, "SELECT id, 'welcome' AS document FROM users", sharing, "SELECT id, document FROM shares"},
		{sharing, "SELECT id, document FROM shares", application, "SELECT id, document FROM grants"},
	} {
		replhubtest.Converged(t, replhubtest.SQL(tt.source, tt.query), replhubtest.SQL(tt.replica, tt.like), patience)
	}
	run.stop()
	said := run.said.String()
	checkEnd(t, said)
	checkFields(t, said)
	checkLateJoiner(t, said)
}

// The owner on PostgreSQL, with its rows for one that comes late and its changes
// from then on.
func TestUserProfileOnPostgreSQL(t *testing.T) {
	hub := replhubtest.Start(t)
	dir, dsn := t.TempDir(), sqltest.Postgres(t)
	env := []string{"NATS_URL=" + hub.URL(), "DATABASE_URL=" + dsn}
	users := replhubtest.SQL(database(t, "pgx", dsn), "SELECT id, tenant, email FROM users WHERE tenant = 'acme'")
	first := start(t, dir, "user-profile", env, "-changes", "12", "-pause", "5ms")
	first.awaits("12 changes are made")
	application := start(t, dir, "application", env)
	application.awaits("got row user 4")
	second := start(t, dir, "user-profile", env, "-first", "12", "-changes", "10", "-pause", "5ms")
	second.awaits("10 changes are made")
	replhubtest.Converged(t, users, replhubtest.SQL(file(t, dir, "application.db"), "SELECT id, tenant, email FROM accounts"), patience)
	for _, p := range []*program{first, second, application} {
		p.stop()
	}
}

// checkEnd checks that nothing is left behind.
func checkEnd(t *testing.T, said string) {
	t.Helper()
	if !strings.HasSuffix(said, "stopped\n") {
		t.Errorf("the end is not said:\n%s", said)
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

// checkFields checks that nobody got what it did not ask for.
func checkFields(t *testing.T, said string) {
	t.Helper()
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
}

// checkLateJoiner checks that application, which joins after two rounds of the
// story, gets the rows that those have left, as they are by then, and after them
// what changes.
func checkLateJoiner(t *testing.T, said string) {
	t.Helper()
	const early = 6 // users of the two rounds
	got := regexp.MustCompile(`(?m)^application/[12] +got (\w+) user (\d+) (.*): (\w+)$`)
	var rows []string
	changes := 0
	for _, line := range got.FindAllStringSubmatch(said, -1) {
		what, data, outcome := line[1], line[3], line[4]
		id, err := strconv.Atoi(line[2])
		switch {
		case err != nil:
			t.Fatal(err)
		case outcome == "duplicate": // at least once
		case what != "row" && id > early:
			changes++
		case what != "row" || id > early || changes > 0 || !strings.Contains(data, "lovelace@"):
			t.Errorf("not expected of one that came late: %s", line[0])
		default:
			rows = append(rows, line[2])
		}
	}
	slices.Sort(rows)
	if want := []string{"1", "4"}; !slices.Equal(rows, want) {
		t.Errorf("rows of users %v, want %v", rows, want)
	}
	if changes == 0 {
		t.Error("no changes after the rows")
	}
}
