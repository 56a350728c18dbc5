package report

import (
	"slices"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// describeFills reports the progress of a lane's fills. waiting says, by the ids of
// interests, why snapshots wait; rows, by the ids of the fills' rows, about how many rows
// there are.
func describeFills(status *contract.LaneStatus, s lane.State, waiting map[string]string, rows map[string]uint64) {
	for i, f := range s.Fills {
		fill := fillStatus(s, f, waiting, rows)
		if i == 0 {
			status.Fill = &fill
			continue
		}
		status.OtherFills = append(status.OtherFills, fill)
	}
	for _, f := range s.Filled {
		status.Filled = append(status.Filled, contract.FilledStatus{ID: f.ID, Entity: f.Entity, Rows: f.Rows, Began: f.Began, Ended: f.Ended})
	}
}

func fillStatus(s lane.State, f lane.Fill, waiting map[string]string, rows map[string]uint64) contract.FillStatus {
	out := contract.FillStatus{Kind: contract.FillEvents, From: f.From, At: f.At.Seq, To: s.Pos.Seq}
	for _, in := range s.Interests {
		if slices.Contains(f.IDs, in.ID) {
			out.Entities = append(out.Entities, in.Entity)
		}
	}
	if f.Snapshot != nil {
		out.Kind, out.To = contract.FillSnapshot, 0
		if f.Snapshot.ID != "" {
			out.Kind, out.Filter = contract.FillBackfill, f.Snapshot.Filter
		}
		out.ID = f.RowsID()
		out.Rows, out.After, out.Began = f.Snapshot.Row, f.Snapshot.After, &f.Snapshot.Began
		if out.Total = rows[f.RowsID()]; len(f.Snapshot.Keys) > 0 {
			out.Total = uint64(len(f.Snapshot.Keys))
		}
		out.Stalled = waiting[f.IDs[0]]
	}
	return out
}

// furtherSnapshots moves a state's snapshots to where the owner's memory has
// them: it is newer than the stream.
func furtherSnapshots(s, own lane.State) lane.State {
	for i, f := range s.Fills {
		for _, o := range own.Fills {
			if f.Snapshot != nil && o.Snapshot != nil && f.RowsID() == o.RowsID() && o.Snapshot.Row > f.Snapshot.Row {
				s = s.Clone()
				s.Fills[i].Snapshot = o.Snapshot
			}
		}
	}
	return s
}
