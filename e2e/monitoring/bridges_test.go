//go:build long

package monitoring_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/replhubtest"
)

// secret signs requests; it is nobody's.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// bridges are a capture with its standby, an apply and a push, between a database and an
// endpoint.
type bridges struct {
	*world

	database *sqltest.Server
	answer   *atomic.Int64 // the endpoint's
	all      []*process
}

func newBridges(t *testing.T) *bridges {
	t.Helper()
	b := &bridges{world: newWorld(t), database: sqltest.OwnPostgres(t), answer: &atomic.Int64{}}
	b.answer.Store(http.StatusNoContent)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(b.answer.Load()))
	}))
	t.Cleanup(endpoint.Close)
	b.exec("CREATE TABLE users (id int PRIMARY KEY, name text)", "CREATE TABLE people (id int PRIMARY KEY, name varchar(20))")
	env := []string{
		"NATS_URL=" + b.nats.URL(), "DATABASE_URL=" + b.database.DSN(), "REPLHUB_HTTP_ADDR=127.0.0.1:0",
		"REPLHUB_CAPTURE_SERVICE=user-profile", "REPLHUB_CAPTURE_TABLE=public.users=user",
		"REPLHUB_APPLY_TABLE=user=people",
		"REPLHUB_PUSH_URL=" + endpoint.URL, "REPLHUB_PUSH_SECRET=" + secret, "REPLHUB_PUSH_ENTITY=user", "REPLHUB_PUSH_ALLOW_PRIVATE=true",
	}
	add := func(labels string, args ...string) {
		p := start(t, env, args...)
		b.all = append(b.all, p)
		b.targets = append(b.targets, target{p.url, labels})
	}
	add(`job="replhub-capture",instance="c1",service="user-profile"`, "capture", "postgres")
	b.await("the capture", func(s sample) error {
		return s.has(1, "replhub_capture_state", `instance="c1"`, `state="capturing"`)
	})
	add(`job="replhub-capture",instance="c2",service="user-profile"`, "capture", "postgres")
	add(`job="replhub-apply",instance="a1"`, "apply", "replica")
	add(`job="replhub-push",instance="p1",service="hook"`, "push", "hook")
	b.await("the registrations", func(s sample) error {
		return errors.Join(s.has(1, "replhub_lane_state", `service="replica"`, `state="live"`), s.has(1, "replhub_lane_state", `service="hook"`, `state="live"`))
	})
	return b
}

func (b *bridges) exec(statements ...string) {
	b.t.Helper()
	db, err := pgx.Connect(b.t.Context(), b.database.DSN())
	b.must(err)
	defer func() { _ = db.Close(context.WithoutCancel(b.t.Context())) }()
	for _, s := range statements {
		_, err := db.Exec(b.t.Context(), s)
		b.must(err)
	}
}

// well inserts a row, and waits until it is in the other table and was sent to the
// endpoint, and nothing is wrong.
func (b *bridges) well(row string) sample {
	b.t.Helper()
	b.exec("INSERT INTO users VALUES (" + row + ", 'Ada')")
	replhubtest.Await(b.t, "the row in the replica", func() error {
		db, err := pgx.Connect(b.t.Context(), b.database.DSN())
		if err != nil {
			return err
		}
		defer func() { _ = db.Close(context.WithoutCancel(b.t.Context())) }()
		var name string
		return db.QueryRow(b.t.Context(), "SELECT name FROM people WHERE id = "+row).Scan(&name)
	}, replhubtest.Within(within))
	return b.await("all to be well", func(s sample) error {
		err := errors.Join(
			s.has(1, "replhub_capture_state", `instance="c1"`, `state="capturing"`), s.has(1, "replhub_capture_state", `instance="c2"`, `state="standby"`),
			s.has(0, "replhub_apply_database_unavailable"), s.has(0, "replhub_push_unavailable"), s.has(0, "replhub_push_gone"),
			s.above(0, "replhub_push_requests_total", `code="2xx"`), s.has(0, "replhub_apply_oldest_unacked_seconds"),
			s.has(2, "replhub_hubs", `instance="h1"`), s.has(2, "replhub_hubs", `instance="h2"`),
		)
		for _, service := range []string{`service="replica"`, `service="hook"`} {
			err = errors.Join(err, s.has(0, "replhub_lane_backlog_events", service), s.has(0, "replhub_lane_lag_events", service),
				s.has(0, "replhub_lane_oldest_unacked_seconds", service), s.has(0, "replhub_lane_unavailable_instances", service))
		}
		return err
	})
}

// Each panel of the dashboard has data while all works; then the faults of bridges, one
// after the other, on real ones.
func TestDashboardAndAlertsOfBridges(t *testing.T) {
	b := newBridges(t)
	var stories []story
	well := b.well("1")
	checkDashboard(t, b.targets)

	b.database.Crash()
	b.answer.Store(http.StatusServiceUnavailable)
	b.publish(1, `{"id":1,"name":"Bob"}`)
	stories = append(stories, story{
		name: "database and endpoint are away", well: well,
		broken: b.await("both outages", func(s sample) error {
			return errors.Join(s.has(1, "replhub_capture_state", `state="waiting"`), s.has(1, "replhub_apply_database_unavailable"), s.has(1, "replhub_push_unavailable"),
				s.has(0, "replhub_capture_state", `state="capturing"`, `instance="c1"`), s.has(0, "replhub_capture_state", `state="capturing"`, `instance="c2"`),
				s.above(0, "replhub_lane_unavailable_instances", `service="replica"`), s.above(0, "replhub_lane_unavailable_instances", `service="hook"`),
				s.above(0, "replhub_capture_degraded_reasons", `instance="c1"`),
				s.above(0, "replhub_lane_oldest_unacked_seconds", `service="replica"`), s.above(0, "replhub_apply_oldest_unacked_seconds"))
		}),
		fires: []string{"ReplhubApplyBehind", "ReplhubApplyOutage", "ReplhubBacklogOld", "ReplhubCaptureDegraded", "ReplhubCaptureNobody", "ReplhubCaptureOutage", "ReplhubPushOutage", "ReplhubServiceOutage"},
	})

	b.database.Start()
	b.answer.Store(http.StatusNoContent)
	well = b.well("2")
	b.answer.Store(http.StatusBadRequest)
	b.exec("INSERT INTO users VALUES (3, repeat('x', 100))", "SELECT pg_logical_emit_message(true, 'replhub', 'no event')", "TRUNCATE users")
	stories = append(stories, story{
		name: "events that nobody can handle", well: well,
		broken: b.await("dead letters and alarms", func(s sample) error {
			return errors.Join(s.above(0, "replhub_apply_dead_letters_total"), s.above(0, "replhub_push_dead_letters_total"),
				s.above(0, "replhub_capture_truncates_total"), s.above(0, "replhub_capture_refused_total"), s.above(0, "replhub_capture_degraded_reasons"),
				s.has(1, "replhub_lane_dead_letters", `service="replica"`), s.has(1, "replhub_lane_dead_letters", `service="hook"`),
				s.has(0, "replhub_lane_oldest_unacked_seconds", `service="replica"`), s.has(0, "replhub_apply_oldest_unacked_seconds"))
		}),
		fires: []string{"ReplhubApplyDeadLetters", "ReplhubCaptureDegraded", "ReplhubCaptureRefused", "ReplhubCaptureTruncated", "ReplhubDeadLetters", "ReplhubPushDeadLetters"},
	})

	b.answer.Store(http.StatusGone)
	b.publish(1, `{"id":1,"name":"Bob"}`)
	gone := b.await("the answer that the endpoint is gone", func(s sample) error { return s.has(1, "replhub_push_gone") })
	only := maps.Clone(well)
	for name, value := range gone {
		if target := `instance="p1"`; containsLabel(name, target) && !keeps(name) {
			only[name] = value
		}
	}
	stories = append(stories, story{name: "the endpoint is gone", well: well, broken: only, fires: []string{"ReplhubPushGone"}})

	for _, p := range b.all {
		b.must(p.Kill())
	}
	down := scrape(t, b.targets...)
	for name, value := range well {
		if containsLabel(name, `job="replhub"`) {
			down[name] = value // the hubs' figures are not the point
		}
	}
	stories = append(stories, story{name: "no bridge answers", well: well, broken: down, fires: []string{"ReplhubBridgeDown"}})

	// A gigabyte of log, and a capture that has ended itself, take too long.
	for series, fires := range map[string]string{
		`replhub_capture_unconfirmed_bytes{job="replhub-capture",instance="c1",service="user-profile"}`:     "ReplhubCaptureKeepsWAL",
		`replhub_capture_state{job="replhub-capture",instance="c2",service="user-profile",state="stopped"}`: "ReplhubCaptureStopped",
	} {
		broken := maps.Clone(well)
		if _, ok := broken[series]; !ok {
			t.Fatalf("there is no series %s", series)
		}
		broken[series] = map[bool]float64{true: 2e9, false: 1}[fires == "ReplhubCaptureKeepsWAL"]
		stories = append(stories, story{name: fires, well: well, broken: broken, fires: []string{fires}})
	}
	tell(t, stories...)
}
