package queue

// proofs say that what handlers of an entity need was there: by entity, the attempt
// begun last of those that were handled, since the first outage.
type proofs struct {
	wanted bool // there was an outage
	last   map[string]uint64
}

// add notes that a job was handled.
func (p *proofs) add(j *Job) {
	if p.wanted {
		p.last[j.Row.Entity] = max(p.last[j.Row.Entity], j.begunAt)
	}
}

// against reports whether it is the job's own fault that it is answered with an
// outage: another of its entity, begun after its last such answer, was handled. What
// ended later but began before may have had what is away now.
func (p *proofs) against(j *Job) bool {
	return j.failedAt != 0 && p.last[j.Row.Entity] > j.failedAt
}
