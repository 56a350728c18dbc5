package queue

// proofs record, by entity, that the resources of its handlers were there: the number
// of the latest begun attempt that succeeded since the first outage.
type proofs struct {
	wanted bool // there was an outage
	last   map[string]uint64
}

// add notes that a job was handled successfully.
func (p *proofs) add(j *Job) {
	if p.wanted {
		p.last[j.Row.Entity] = max(p.last[j.Row.Entity], j.begunAt)
	}
}

// against reports whether a job itself causes its outage answers: another job of its
// entity, begun after the job's last such answer, was handled. A job that began
// earlier and ended later proves nothing, since it may have used the resource before
// the outage.
func (p *proofs) against(j *Job) bool {
	return j.failedAt != 0 && p.last[j.Row.Entity] > j.failedAt
}
