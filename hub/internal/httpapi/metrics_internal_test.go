package httpapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/contract"
)

func TestLaneInTroubleOrFilling(t *testing.T) {
	for name, tt := range map[string]struct {
		lane    contract.LaneStatus
		trouble contract.Trouble
		want    map[string]float64 // of the metrics that depend on state and fill
	}{
		"live": {contract.LaneStatus{State: contract.LaneLive}, "", map[string]float64{"state,live": 1}},
		"detached": {
			contract.LaneStatus{State: contract.LaneDetached, Reason: "events that the lane still needed are gone from ingest: …"},
			contract.TroubleTrimmed,
			map[string]float64{"state,detached": 1, "trouble,detached,trimmed": 1},
		},
		"stalled": {
			contract.LaneStatus{State: contract.LaneStalled, Reason: "who knows"},
			contract.TroubleOther,
			map[string]float64{"state,stalled": 1, "trouble,stalled,other": 1},
		},
		"filling": {
			contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{From: 100, At: 175, To: 200}},
			"",
			map[string]float64{"state,filling": 1, "fill_ratio": 0.75, "fill_remaining_events": 25},
		},
		// A fill's end is the live position, which may be read a moment earlier.
		"filled": {
			contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{From: 100, At: 201, To: 200}},
			"",
			map[string]float64{"state,filling": 1, "fill_ratio": 1, "fill_remaining_events": 0},
		},
		"snapshots": {
			contract.LaneStatus{
				State: contract.LaneFilling, Fill: &contract.FillStatus{Kind: contract.FillSnapshot, Rows: 7}, OtherFills: []contract.FillStatus{
					{Kind: contract.FillEvents, From: 1, At: 2, To: 3}, {Kind: contract.FillSnapshot, Rows: 5, Stalled: "nobody serves it"},
				},
			},
			"",
			map[string]float64{"state,filling": 1, "snapshot_rows": 12, "snapshot_stalled": 1},
		},
		"nothing to fill": {
			contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{}},
			"",
			map[string]float64{"state,filling": 1, "fill_ratio": 1, "fill_remaining_events": 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.lane.Service = "sharing"
			got := map[string]float64{}
			collectLane(func(metric string, value float64, labels ...string) {
				if labels[0] != "sharing" {
					t.Errorf("%s of %v", metric, labels)
				}
				short := strings.TrimPrefix(metric, "replhub_lane_")
				switch {
				case metric == contract.MetricLaneState && value == 0:
				case metric == contract.MetricLaneState, metric == contract.MetricLaneTrouble, strings.HasPrefix(short, "fill"), strings.HasPrefix(short, "snapshot"):
					got[strings.Join(append([]string{short}, labels[1:]...), ",")] = value
				}
			}, report.Lane{LaneStatus: tt.lane, Trouble: tt.trouble})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
