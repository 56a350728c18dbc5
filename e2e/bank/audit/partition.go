package audit

import "time"

// grace is how long after a stop a handler may begin that was under way before:
// taken by a worker, and not yet in the journal.
const grace = int64(250 * time.Millisecond)

// judgePartitions looks for two instances at work on one partition at a time.
func (v *Verdict) judgePartitions(r *Replica, freezes []Freeze) {
	frozen := make(map[string][]Freeze)
	for _, f := range freezes {
		frozen[f.Instance] = append(frozen[f.Instance], f)
	}
	atWork := make(map[int][]Handling) // by partition
	for _, h := range byBegin(r.Handlings) {
		partition := r.Partition(h.Key)
		still := atWork[partition][:0]
		for _, other := range atWork[partition] {
			if other.End <= h.Begin {
				continue
			}
			still = append(still, other)
			if other.Instance == h.Instance {
				continue
			}
			if wasFrozen(frozen[h.Instance], h) || wasFrozen(frozen[other.Instance], other) {
				v.Excused++
				continue
			}
			v.found(Overlapping, "%s began on %d of partition %d %s before %s ended on %d (%s)",
				h.Instance, h.Seq, partition, time.Duration(other.End-h.Begin), other.Instance, other.Seq, other.Outcome)
		}
		atWork[partition] = append(still, h)
	}
}

// wasFrozen reports whether the process was stopped while it was at this work,
// or about to begin it.
func wasFrozen(freezes []Freeze, h Handling) bool {
	for _, f := range freezes {
		if h.Begin < f.To+grace && f.From < h.End {
			return true
		}
	}
	return false
}
