package bridge

import (
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// The lane has everything up to the goal: its position is there, and no fill is under
// way.
func TestCopied(t *testing.T) {
	goal := position{2, 100}
	for name, tt := range map[string]struct {
		status contract.LaneStatus
		want   bool
	}{
		"at the goal":                    {contract.LaneStatus{Epoch: 2, Seq: 100}, true},
		"beyond it":                      {contract.LaneStatus{Epoch: 2, Seq: 200, Lag: 7}, true},
		"before it":                      {contract.LaneStatus{Epoch: 2, Seq: 99, Lag: 1}, false},
		"of an older epoch":              {contract.LaneStatus{Epoch: 1, Seq: 300}, false},
		"of a newer epoch":               {contract.LaneStatus{Epoch: 3, Seq: 1}, true},
		"a newer epoch has more to copy": {contract.LaneStatus{Epoch: 3, Seq: 1, Lag: 5}, false},
		"rows are missing":               {contract.LaneStatus{Epoch: 2, Seq: 100, Fill: &contract.FillStatus{Kind: contract.FillSnapshot}}, false},
		"rows wait":                      {contract.LaneStatus{Epoch: 2, Seq: 100, OtherFills: []contract.FillStatus{{}}}, false},
		"rows left out":                  {contract.LaneStatus{Epoch: 2, Seq: 100, FillsLeftOut: 1}, false},
	} {
		if got := copied(&tt.status, goal); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// All is done when the lane has been where ingest ended at the begin for a second, no fill
// is under way, and each consumer has acknowledged what the lane then held, or has had
// nothing to do for a second.
func TestCaughtUp(t *testing.T) {
	at := time.Unix(1000, 0)
	type look struct {
		after           time.Duration
		epoch, seq, lag uint64
		fill            bool
		last            uint64 // the lane's
		floor           uint64
		pending, acks   uint64
		want            bool
	}
	const s = time.Second
	for name, looks := range map[string][]look{
		"nothing to do":   {{0, 1, 10, 0, false, 7, 5, 0, 0, false}, {s - 1, 1, 10, 0, false, 7, 5, 0, 0, false}, {s, 1, 10, 0, false, 7, 5, 0, 0, true}},
		"an empty lane":   {{0, 1, 10, 0, false, 0, 0, 0, 0, false}, {s, 1, 10, 0, false, 0, 0, 0, 0, true}},
		"behind":          {{0, 1, 5, 5, false, 7, 7, 0, 0, false}, {5 * s, 1, 9, 3, false, 7, 7, 0, 0, false}, {6 * s, 1, 10, 2, false, 8, 8, 0, 0, false}, {7 * s, 1, 11, 1, false, 9, 9, 0, 0, true}},
		"goes back":       {{0, 1, 5, 5, false, 7, 7, 0, 0, false}, {5 * s, 1, 10, 0, false, 9, 9, 0, 0, false}, {6 * s, 1, 9, 1, false, 9, 9, 0, 0, false}, {7 * s, 1, 10, 0, false, 9, 9, 0, 0, false}, {8 * s, 1, 10, 0, false, 9, 9, 0, 0, true}},
		"filling":         {{0, 1, 10, 0, true, 7, 7, 0, 0, false}, {5 * s, 1, 10, 0, true, 7, 7, 0, 0, false}, {6 * s, 1, 10, 0, false, 7, 7, 0, 0, false}, {7 * s, 1, 10, 0, false, 7, 7, 0, 0, true}},
		"not applied":     {{0, 1, 10, 0, false, 9, 6, 2, 1, false}, {5 * s, 1, 10, 0, false, 9, 8, 0, 1, false}, {6 * s, 1, 10, 0, false, 9, 8, 0, 0, false}, {7 * s, 1, 10, 0, false, 9, 8, 0, 0, true}},
		"under load":      {{0, 1, 10, 0, false, 9, 5, 0, 4, false}, {s, 1, 90, 0, false, 50, 5, 40, 4, false}, {5 * s, 1, 90, 0, false, 90, 49, 37, 4, false}, {6 * s, 1, 90, 0, false, 99, 50, 40, 9, true}},
		"comes and goes":  {{0, 1, 10, 0, false, 9, 8, 0, 0, false}, {5 * s, 1, 10, 0, false, 9, 8, 0, 1, false}, {6 * s, 1, 10, 0, false, 9, 8, 0, 0, false}, {7 * s, 1, 10, 0, false, 9, 8, 0, 0, true}},
		"an older epoch":  {{0, 0, 90, 10, false, 9, 9, 0, 0, false}, {5 * s, 0, 90, 10, false, 9, 9, 0, 0, false}, {6 * s, 1, 10, 0, false, 9, 9, 0, 0, false}, {7 * s, 1, 10, 0, false, 9, 9, 0, 0, true}},
		"a newer epoch":   {{0, 1, 5, 5, false, 9, 9, 0, 0, false}, {5 * s, 2, 1, 7, false, 9, 9, 0, 0, false}, {6 * s, 2, 2, 6, false, 9, 9, 0, 0, false}, {7 * s, 2, 8, 0, false, 9, 9, 0, 0, false}, {8 * s, 2, 8, 0, false, 9, 9, 0, 0, true}},
		"acknowledgement": {{0, 1, 10, 0, false, 9, 9, 0, 1, false}, {s, 1, 10, 0, false, 9, 9, 0, 1, true}},
	} {
		w := &catching{epoch: 1, idle: map[string]time.Time{}}
		for i, l := range looks {
			status := &contract.LaneStatus{
				State: contract.LaneLive, Epoch: l.epoch, Seq: l.seq, Lag: l.lag, LastSeq: l.last, Backlog: l.pending + l.acks,
				Workers: []contract.WorkerStatus{{Consumer: "workers", AckFloor: l.floor, Pending: l.pending, AckPending: int(l.acks)}},
			}
			if l.fill {
				status.Fill = &contract.FillStatus{Kind: contract.FillSnapshot}
			}
			if got, err := w.look(status, at.Add(l.after)); got != l.want || err != nil {
				t.Errorf("%s, look %d: %v, %v", name, i, got, err)
			}
		}
	}
}
