package hub_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// metrics scrapes a new Handler: each Handler measures by itself.
func (o observed) metrics() map[string]float64 {
	o.t.Helper()
	return scrape(o.t, o.Handler())
}

func scrape(t *testing.T, h http.Handler) map[string]float64 {
	t.Helper()
	r := ask(t.Context(), h, "/metrics")
	if r.Code != http.StatusOK {
		t.Fatalf("metrics: %d %s", r.Code, r.Body)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(r.Body.String()) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, "replhub_") || !found {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[name] = v
	}
	return values
}

func TestMetricsOfKnownTraffic(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("sharing", `{"entities":["user"]}`)
	w.register("application", `{"interests":[{"entity":"user","filter":"data.n > 2"}]}`)
	for i := range 5 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"%d","n":%d}`, i, i))
	}
	w.publish("db.user.create", `not JSON`) // a dead letter for application alone
	w.copies("sharing", 6)
	w.copies("application", 2)
	consumer, err := w.js.Consumer(t.Context(), "SUB_sharing", "workers")
	if err != nil {
		t.Fatal(err)
	}
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		`replhub_ready`:                         1,
		`replhub_hubs`:                          1,
		`replhub_degraded_reasons`:              0,
		`replhub_ingest_epoch`:                  1,
		`replhub_ingest_first_seq`:              1,
		`replhub_ingest_last_seq`:               6,
		`replhub_ingest_messages`:               6,
		`replhub_ingest_max_bytes`:              4 << 30,
		`replhub_ingest_floor_seq`:              1,
		`replhub_registry_connected{kind="kv"}`: 1,
		`replhub_alarms`:                        0,
		`replhub_lane_owned{service="sharing"}`: 1,

		`replhub_lane_state{service="sharing",state="live"}`:    1,
		`replhub_lane_state{service="sharing",state="stalled"}`: 0,
		`replhub_lane_position_seq{service="sharing"}`:          6,
		`replhub_lane_lag_events{service="sharing"}`:            0,
		`replhub_lane_lag_seconds{service="sharing"}`:           0,
		`replhub_lane_copies_total{service="sharing"}`:          6,
		`replhub_lane_backlog_events{service="sharing"}`:        5,
		`replhub_lane_dead_letters{service="sharing"}`:          0,
		`replhub_lane_dead_lettered_total{service="sharing"}`:   0,
		`replhub_lane_max_bytes{service="sharing"}`:             1 << 30,
		`replhub_lane_foreign_total{service="sharing"}`:         0,
		`replhub_lane_unavailable_instances{service="sharing"}`: 1,

		`replhub_lane_position_seq{service="application"}`:        6,
		`replhub_lane_copies_total{service="application"}`:        2,
		`replhub_lane_backlog_events{service="application"}`:      2,
		`replhub_lane_dead_letters{service="application"}`:        1,
		`replhub_lane_dead_lettered_total{service="application"}`: 1,
	}
	w.eventually("metrics", func() error {
		// An instance says so every second.
		if err := w.js.Conn().Publish("replhub._unavailable.sharing", []byte(`{"instance":"one","error":"connection refused"}`)); err != nil {
			return err
		}
		got := o.metrics()
		for name, value := range want {
			if v, ok := got[name]; !ok || v != value {
				return fmt.Errorf("%s %v (there: %v), want %v", name, v, ok, value)
			}
		}
		return nil
	})
	got := o.metrics()
	if v := got[`replhub_lane_oldest_unacked_seconds{service="sharing"}`]; v <= 0 || v > 60 {
		t.Errorf("oldest unacked %v", v)
	}
	appends := 0.0
	for _, kind := range []string{"single", "atomic", "fast"} {
		appends += got[fmt.Sprintf(`replhub_lane_appends_total{kind=%q,service="sharing"}`, kind)]
	}
	if appends < 1 || appends > 6 {
		t.Errorf("%v appends for 6 copies", appends)
	}
	checkNames(t, got)
}

// checkNames holds what is emitted against the list in package contract.
func checkNames(t *testing.T, got map[string]float64) {
	t.Helper()
	listed, emitted := map[string]bool{}, map[string]bool{}
	for _, m := range contract.Metrics() {
		if listed[m.Name] || m.Help == "" || m.Counter != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%+v: twice, without help, or of a name that is not its kind's", m)
		}
		listed[m.Name] = true
	}
	for name := range got {
		base, _, _ := strings.Cut(name, "{")
		emitted[base] = true
		if !listed[base] {
			t.Errorf("%s is not in contract.Metrics", base)
		}
	}
	// Only a lane in trouble or filling has these, or an ingest that is nearly full.
	for _, name := range []string{
		contract.MetricLaneTrouble, contract.MetricLaneFillRemaining, contract.MetricLaneFillRatio,
		contract.MetricLaneSnapshotRows, contract.MetricLaneSnapshotStalled, contract.MetricIngestFull,
	} {
		delete(listed, name)
	}
	for name := range listed {
		if !emitted[name] {
			t.Errorf("%s is never emitted; there are %v", name, slices.Sorted(maps.Keys(emitted)))
		}
	}
}

func TestMetricsOfAFullLane(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("sharing", `{"entities":["user"],"max_bytes":65536}`)
	for i := range 20 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"%d","text":%q}`, i, strings.Repeat("x", 10_000)))
	}
	w.eventually("a stalled lane", func() error {
		got := o.metrics()
		for name, holds := range map[string]func(float64) bool{
			`replhub_lane_state{service="sharing",state="stalled"}`:                      func(v float64) bool { return v == 1 },
			`replhub_lane_trouble{reason="lane_full",service="sharing",state="stalled"}`: func(v float64) bool { return v == 1 },
			`replhub_lane_lag_events{service="sharing"}`:                                 func(v float64) bool { return v > 5 },
			`replhub_lane_lag_seconds{service="sharing"}`:                                func(v float64) bool { return v > 0 },
			`replhub_lane_retries_total{service="sharing"}`:                              func(v float64) bool { return v > 0 },
			`replhub_degraded_reasons`:                                                   func(v float64) bool { return v == 1 },
		} {
			if v, ok := got[name]; !ok || !holds(v) {
				return fmt.Errorf("%s %v (there: %v)", name, v, ok)
			}
		}
		return nil
	})
}

// However often somebody scrapes, the server is not asked more than once in
// five seconds.
func TestScrapesAreCheap(t *testing.T) {
	w := newWorld(t)
	asked, err := w.nc.SubscribeSync("$JS.API.CONSUMER.LIST.SUB_sharing")
	if err != nil {
		t.Fatal(err)
	}
	o := w.observe(nil, func(c *hub.Config) { c.TrimEvery = 1 << 40 })
	w.register("sharing", `{"entities":["user"]}`)
	w.eventually("the registration's own questions", func() error {
		before, _, err := asked.Pending()
		if err != nil {
			return err
		}
		h := o.Handler()
		for range 50 {
			scrape(t, h)
		}
		if err := w.nc.Flush(); err != nil {
			return err
		}
		after, _, err := asked.Pending()
		if err == nil && after-before != 1 {
			return fmt.Errorf("asked %d times in 50 scrapes, want once", after-before)
		}
		return err
	})
}
