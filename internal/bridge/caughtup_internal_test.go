package bridge

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

// What a hub says of its position counts after a while, and no more when it goes back.
func TestSeeLaneWaits(t *testing.T) {
	now := time.Now()
	w := &catching{goal: position{1, 10}, last: 0}
	at := func(seq uint64, after time.Duration) time.Time {
		if err := w.seeLane(t.Context(), &contract.LaneStatus{Epoch: 1, Seq: seq}, now.Add(after)); err != nil {
			t.Fatal(err)
		}
		return w.copied
	}
	if !at(9, 0).IsZero() || !at(10, 1).Equal(now.Add(1)) || !at(10, settle).Equal(now.Add(1)) {
		t.Errorf("copied since %s", w.copied.Sub(now))
	}
	w.last = 50
	if !at(9, settle).IsZero() || w.last != 0 {
		t.Error("a hub that went back is believed")
	}
}

// A consumer is through when it has acknowledged the lane's end, or has had nothing to
// do for a while: its counts may be a moment old.
func TestThrough(t *testing.T) {
	now := time.Now()
	w := &catching{last: 50, idle: map[string]time.Time{}}
	info := func(floor uint64, pending uint64, unacked int) *jetstream.ConsumerInfo {
		return &jetstream.ConsumerInfo{Name: "workers", AckFloor: jetstream.SequenceInfo{Stream: floor}, NumPending: pending, NumAckPending: unacked}
	}
	for i, look := range []struct {
		info  *jetstream.ConsumerInfo
		after time.Duration
		want  bool
	}{
		{info(49, 1, 0), 0, false},
		{info(50, 1, 3), 0, true},
		{info(49, 0, 1), 0, false},
		{info(49, 0, 0), 0, false},
		{info(49, 0, 0), settle - 1, false},
		{info(49, 0, 0), settle, true},
		{info(49, 1, 0), 2 * settle, false},
		{info(49, 0, 0), 3*settle - 1, false},
		{info(49, 0, 0), 4*settle - 1, true},
	} {
		if got := w.through(look.info, now.Add(look.after)); got != look.want {
			t.Errorf("look %d: %t", i, got)
		}
	}
}
