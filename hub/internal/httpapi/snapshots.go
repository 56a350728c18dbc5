package httpapi

import "github.com/replhub/replhub/internal/contract"

// collectSnapshots emits the progress of a lane's snapshots.
func collectSnapshots(emit emitter, s contract.LaneStatus) {
	var rows, stalled float64
	under := false
	count := func(f *contract.FillStatus) {
		if !f.OfRows() {
			return
		}
		under = true
		rows += float64(f.Rows)
		if f.Stalled != "" {
			stalled++
		}
	}
	if s.Fill != nil {
		count(s.Fill)
	}
	for i := range s.OtherFills {
		count(&s.OtherFills[i])
	}
	if under {
		emit(contract.MetricLaneSnapshotRows, rows, s.Service)
		emit(contract.MetricLaneSnapshotStalled, stalled, s.Service)
	}
}
