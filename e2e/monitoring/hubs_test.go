//go:build long

package monitoring_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// fault breaks one thing of a real hub.
type fault struct {
	name string
	// eager has hubs that trim at once, with an ingest of 2 MiB.
	eager bool
	env   []string
	// harm breaks it.
	harm func(w *world)
	// seen is the condition by which /metrics shows the fault.
	seen  func(s sample) error
	fires []string
}

func hubFaults() []fault {
	long := strings.Repeat("x", 20_000)
	return []fault{
		{
			name: "a poisoned lane: each event becomes a dead letter",
			harm: func(w *world) {
				w.ask("register.poisoned", `{"interests":[{"entity":"user","filter":"data.n > 2"}]}`)
				w.publish(120, "no JSON")
				w.consume("sharing", 120)
			},
			seen: func(s sample) error {
				return errors.Join(s.has(120, "replhub_lane_dead_letters", `service="poisoned"`), s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubDeadLetters", "ReplhubDeadLettersGrow"},
		},
		{
			name: "one dead letter",
			harm: func(w *world) {
				w.ask("register.poisoned", `{"interests":[{"entity":"user","filter":"data.n > 2"}]}`)
				w.publish(1, "no JSON")
				w.consume("sharing", 1)
			},
			seen: func(s sample) error {
				return errors.Join(s.has(1, "replhub_lane_dead_letters", `service="poisoned"`), s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubDeadLetters"},
		},
		{
			name: "a full lane without workers",
			harm: func(w *world) {
				w.ask("register.full", `{"entities":["user"],"max_bytes":65536}`)
				w.publish(10, `{"id":"1","x":"`+long+`"}`)
				w.consume("sharing", 10)
			},
			seen: func(s sample) error {
				return errors.Join(s.has(1, "replhub_lane_trouble", `service="full"`, `state="stalled"`, `reason="lane_full"`),
					s.above(0, "replhub_lane_lag_seconds", `service="full"`), s.above(0, "replhub_lane_oldest_unacked_seconds", `service="full"`),
					s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubBacklogOld", "ReplhubDegraded", "ReplhubLaneBehind", "ReplhubLaneStalled"},
		},
		{
			name: "ingest is full of young events",
			env:  []string{"REPLHUB_INGEST_MAX_BYTES=2MiB"},
			harm: func(w *world) {
				w.publish(97, `{"id":"1","x":"`+long+`"}`)
				w.consume("sharing", 97)
			},
			seen: func(s sample) error {
				return errors.Join(s.above(0.9, "replhub_ingest_fill_ratio"), s.has(1, "replhub_ingest_full", `by="young"`, `instance="h1"`), s.has(1, "replhub_ingest_full", `instance="h2"`),
					s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubDegraded", "ReplhubIngestFilling", "ReplhubIngestFull"},
		},
		{
			name:  "the lane that pins a full ingest is detached",
			eager: true,
			harm: func(w *world) {
				w.ask("register.full", `{"entities":["user"],"max_bytes":65536}`)
				w.consume("sharing", w.publishUntilRefused(`{"id":"1","x":"`+long+`"}`))
				w.await("the lane to be detached", func(s sample) error {
					return s.has(1, "replhub_lane_trouble", `service="full"`, `state="detached"`)
				})
			},
			seen: func(s sample) error {
				return errors.Join(s.has(1, "replhub_lane_trouble", `service="full"`, `state="detached"`),
					s.below(0.5, "replhub_ingest_fill_ratio"), s.above(0, "replhub_lane_oldest_unacked_seconds", `service="full"`), s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			// The copies that the lane got before are still nobody's.
			fires: []string{"ReplhubBacklogOld", "ReplhubDegraded", "ReplhubLaneDetached"},
		},
		{
			name: "a service without workers",
			harm: func(w *world) {
				w.ask("register.idle", `{"entities":["user"]}`)
				w.publish(3, `{"id":"1","n":1}`)
				w.consume("sharing", 3)
			},
			seen: func(s sample) error {
				return errors.Join(s.above(0, "replhub_lane_oldest_unacked_seconds", `service="idle"`), s.has(3, "replhub_lane_backlog_events", `service="idle"`),
					s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubBacklogOld"},
		},
		{
			name: "the database of a service is away",
			harm: func(w *world) {},
			seen: func(s sample) error {
				return s.above(0, "replhub_lane_unavailable_instances", `service="sharing"`)
			},
			fires: []string{"ReplhubServiceOutage"},
		},
		{
			name: "a killed hub",
			harm: func(w *world) { w.must(w.hubs[1].Kill()) },
			seen: func(s sample) error {
				return errors.Join(s.has(0, "up", `instance="h2"`), s.has(1, "replhub_hubs", `instance="h1"`))
			},
			fires: []string{"ReplhubHubDown", "ReplhubHubMissing"},
		},
		{
			name: "both hubs killed",
			harm: func(w *world) {
				w.must(w.hubs[0].Kill())
				w.must(w.hubs[1].Kill())
			},
			seen: func(s sample) error {
				return errors.Join(s.has(0, "up", `instance="h1"`), s.has(0, "up", `instance="h2"`))
			},
			fires: []string{"ReplhubHubDown", "ReplhubNoHubReady"},
		},
		{
			name: "NATS is away",
			harm: func(w *world) { w.nats.Stop() },
			seen: func(s sample) error {
				return errors.Join(s.has(0, "replhub_ready", `instance="h1"`), s.has(0, "replhub_ready", `instance="h2"`), s.has(0, "replhub_registry_connected", `instance="h1"`))
			},
			fires: []string{"ReplhubDegraded", "ReplhubHubNotReady", "ReplhubNoHubReady", "ReplhubRegistryAway"},
		},
		{
			name: "a message of somebody else in a lane",
			harm: func(w *world) {
				_, err := w.js.Publish(w.t.Context(), "sub.sharing.user.update.0", []byte("by hand"))
				w.must(err)
				w.publish(1, `{"id":"1","n":5}`)
				w.consume("sharing", 2)
			},
			seen: func(s sample) error {
				return errors.Join(s.above(0, "replhub_lane_foreign_total", `service="sharing"`), s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`))
			},
			fires: []string{"ReplhubForeignMessages"},
		},
		{
			name: "a record of a newer version",
			harm: func(w *world) {
				kv, err := w.js.KeyValue(w.t.Context(), "REPLHUB")
				w.must(err)
				_, err = kv.Put(w.t.Context(), "entities.user.newer", []byte(`{"v":99}`))
				w.must(err)
			},
			seen:  func(s sample) error { return s.above(0, "replhub_alarms") },
			fires: []string{"ReplhubAlarms"},
		},
		{
			name: "ingest was deleted",
			harm: func(w *world) {
				w.must(w.js.DeleteStream(w.t.Context(), "DB"))
			},
			seen: func(s sample) error {
				return errors.Join(s.above(1, "replhub_ingest_epoch", `instance="h1"`), s.above(1, "replhub_ingest_epoch", `instance="h2"`),
					s.has(0, "replhub_degraded_reasons", `instance="h1"`), s.has(0, "replhub_degraded_reasons", `instance="h2"`))
			},
			fires: []string{"ReplhubAlarms", "ReplhubNewEpoch"},
		},
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Each fault of a real hub fires the alerts that are meant and no other, and none fires
// before it or after it.
func TestAlertsOfHubs(t *testing.T) {
	t.Parallel()
	for _, f := range hubFaults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := emptyWorld(t)
			for _, id := range []string{"h1", "h2"} {
				if f.eager {
					w.eagerHub(id, 2<<20)
				} else {
					w.hub(id, f.env...)
				}
			}
			well := w.well()
			f.harm(w)
			broken := w.await(f.name, func(s sample) error {
				if f.fires[0] == "ReplhubServiceOutage" { // an instance says so every second
					w.must(w.js.Conn().PublishMsg(&nats.Msg{Subject: "replhub._unavailable.sharing", Data: []byte(`{"instance":"one","error":"connection refused"}`)}))
				}
				return f.seen(s)
			})
			tell(t, story{name: f.name, well: well, broken: broken, fires: f.fires})
		})
	}
}

// What no test can wait for, or make a hub do, is told with the series of a healthy hub of
// which one is changed.
func TestAlertsOfChangedSeries(t *testing.T) {
	w := newWorld(t)
	well := w.well()
	var stories []story
	for _, c := range []struct {
		series string
		value  float64
		fires  []string
	}{
		{`replhub_hubs{job="replhub",instance="h1"}`, 1, []string{"ReplhubHubsDisagree"}},
		{`replhub_lane_trouble{job="replhub",instance="h1",reason="newer_record",service="s",state="incompatible"}`, 1, []string{"ReplhubLaneIncompatible"}},
		{`replhub_lane_snapshot_stalled{job="replhub",instance="h1",service="s"}`, 1, []string{"ReplhubSnapshotWaits"}},
		{`replhub_ingest_fill_ratio{job="replhub",instance="h1"}`, .85, []string{"ReplhubIngestFilling"}},
		// Just below each threshold nothing fires.
		{`replhub_ingest_fill_ratio{job="replhub",instance="h1"}`, .79, nil},
		{`replhub_lane_dead_letters{job="replhub",instance="h1",service="s"}`, 0, nil},
	} {
		broken := maps.Clone(well)
		broken[c.series] = c.value
		stories = append(stories, story{name: fmt.Sprint(c.series, c.value), well: well, broken: broken, fires: c.fires})
	}
	tell(t, stories...)
}
