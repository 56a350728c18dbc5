package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// doctorReply is the JSON of a report.
type doctorReply struct {
	Failed, Warned, Unseen int
	Findings               []doctor.Finding
	Error                  *struct{ Code string }
}

func examined(t *testing.T, o outcome) doctorReply {
	t.Helper()
	var reply doctorReply
	if err := json.Unmarshal([]byte(o.stdout), &reply); err != nil {
		t.Fatalf("%v in\n%s%s", err, o.stdout, o.stderr)
	}
	return reply
}

// What dev runs is well; without a hub, and without a server, a check fails.
func TestDoctor(t *testing.T) {
	newBench(t)
	clearEnvironment(t)
	r := start(t, "dev", "--port", "0", "--http", "127.0.0.1:0")
	banner := r.stdout.await(t, "or with this program")
	url, web := between(t, banner, "nats -s ", " "), between(t, banner, "http://", "\n")
	args := []string{"doctor", "--server", url, "--http", "http://" + strings.TrimRight(strings.Fields(web)[0], ":")}
	if o := execute(t.Context(), "", args...); o.code != exitDone || strings.Contains(o.stdout, "fail") || strings.Contains(o.stdout, "warn") || o.stderr != "" {
		t.Errorf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
	o := execute(t.Context(), "", append(args, "--json")...)
	if reply := examined(t, o); o.code != exitDone || reply.Failed+reply.Warned > 0 || reply.Unseen != 1 || len(reply.Findings) < 20 {
		t.Errorf("exit %d: %+v", o.code, reply)
	}
	r.stop()
	r.ended(t)
	o = execute(t.Context(), "", append(args[:3], "--json", "--timeout", "300ms")...)
	reply := examined(t, o)
	if o.code != exitFailed || reply.Failed != 1 || reply.Error == nil || reply.Error.Code != string(codeUnhealthy) || reply.Findings[0].Check != "server.reachable" {
		t.Errorf("exit %d: %+v", o.code, reply)
	}
	o = execute(t.Context(), "", args[:3]...)
	if o.code != exitFailed || !strings.Contains(o.stdout, "fail:\n  server.reachable: NATS cannot be reached") || !strings.Contains(o.stdout, "\n    -> ") || o.stderr != "error: 1 check fails\n" {
		t.Errorf("exit %d:\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// between is what stands between two words of a text.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	found, _, end := strings.Cut(rest, to)
	if !ok || !end {
		t.Fatalf("nothing between %q and %q in\n%s", from, to, text)
	}
	return found
}

// The environment of serve says where everything is.
func TestDoctorAsHub(t *testing.T) {
	newBench(t)
	clearEnvironment(t)
	server := cluster.StartNATS(t)
	t.Setenv("REPLHUB_NATS_URL", server.URL())
	t.Setenv("REPLHUB_HTTP_ADDR", "127.0.0.1:0")
	r := start(t, "serve")
	t.Setenv("REPLHUB_HTTP_ADDR", field(t, r.stdout.await(t, "msg=ready"), "http"))
	o := execute(t.Context(), "", "doctor", "--as-hub", "--monitor", server.MonitorURL(), "--json")
	if reply := examined(t, o); o.code != exitDone || reply.Failed+reply.Warned+reply.Unseen > 0 {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
	t.Setenv("REPLHUB_NATS_URL", "nats://127.0.0.1:1")
	o = execute(t.Context(), "", "doctor", "--as-hub", "--json")
	if reply := examined(t, o); o.code != exitFailed || reply.Findings[0].Check != "server.reachable" {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
}

// A database that is to be captured: what fits, what does not, and none.
func TestDoctorCapture(t *testing.T) {
	b := newCaptureBench(t, "CREATE TABLE users (id int PRIMARY KEY, name text)", "CREATE TABLE loose (a int)")
	args := []string{"doctor", "capture", "--service", "owner", "--json", "--table", "public.users=user"}
	o := execute(t.Context(), "", args...)
	if reply := examined(t, o); o.code != exitDone || reply.Failed+reply.Warned > 0 || len(reply.Findings) != 2 {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
	o = execute(t.Context(), "", append(args, "--table", "public.loose")...)
	reply := examined(t, o)
	if o.code != exitFailed || reply.Failed != 1 || !strings.Contains(o.stdout, "ADD PRIMARY KEY") || reply.Findings[1].Check != "database.fits" {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
	var made int
	if err := b.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'replhub_owner')").Scan(&made); err != nil || made > 0 {
		t.Errorf("%d were made, %v", made, err)
	}
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
	o = execute(t.Context(), "", args...)
	if reply := examined(t, o); o.code != exitFailed || reply.Findings[0].Check != "database.reachable" {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
}

// A database that is to be written to.
func TestDoctorApply(t *testing.T) {
	b := newApplyBench(t, "pgx", sqltest.Postgres(t))
	b.exec(t, "CREATE TABLE people (id text PRIMARY KEY, name text)")
	b.exec(t, "CREATE TABLE loose (id text, name text)")
	args := []string{"doctor", "apply", "sharing", "--json", "--table", "user=people"}
	o := execute(t.Context(), "", args...)
	if reply := examined(t, o); o.code != exitDone || reply.Failed > 0 || len(reply.Findings) != 2 {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
	o = execute(t.Context(), "", "doctor", "apply", "sharing", "--json", "--table", "user=loose", "--table", "tenant=nowhere")
	reply := examined(t, o)
	if o.code != exitFailed || reply.Failed < 2 || !strings.Contains(o.stdout, "nowhere") {
		t.Errorf("exit %d: %s", o.code, o.stdout)
	}
	if tables := b.one(t, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); tables != "2" {
		t.Errorf("%s tables; the inbox's were made", tables)
	}
	if o := execute(t.Context(), "", "doctor", "apply", "sharing", "--table", "user"); o.code != exitUsage {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}
