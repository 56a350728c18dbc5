package queue

import (
	"cmp"
	"slices"
)

// inflight are the deliveries of a source that are not settled, in the order in
// which they came.
type inflight struct {
	first, latest *Job
	count         int
	active        int    // jobs that are not blocked
	linked        uint64 // how many were ever put in flight
	// memory counts how often the server forgot its deliveries, or other instances may
	// have settled them. The server does not count the delivery of a job with an older
	// memory, until it delivers the job again.
	memory int
}

// link puts a job in flight.
func (f *inflight) link(j *Job) {
	f.count++
	f.active++
	f.linked++
	j.linked, j.memory = f.linked, f.memory
	j.earlier = f.latest
	if f.latest == nil {
		f.first = j
	} else {
		f.latest.later = j
	}
	f.latest = j
}

// unlink takes a job out.
func (s *Source) unlink(j *Job) {
	j.unblock()
	s.count--
	s.active--
	s.settledInherited(j)
	if j.earlier == nil {
		s.first = j.later
	} else {
		j.earlier.later = j.later
	}
	if j.later == nil {
		s.latest = j.earlier
	} else {
		j.later.earlier = j.earlier
	}
	j.earlier, j.later = nil, nil
}

// known returns a copy's job in flight, or nil.
func (f *inflight) known(seq uint64) *Job {
	for j := f.latest; j != nil; j = j.earlier {
		if j.Seq == seq {
			return j
		}
	}
	return nil
}

// since counts the jobs that were in flight when linked had a given value, and still
// are: the server counted these jobs as unacknowledged in between. The server may not
// have counted later jobs yet, and does not count forgotten jobs. If since counted
// later or forgotten jobs, it would hide a delivery of another instance.
func (f *inflight) since(linked uint64) int {
	n := 0
	for j := f.first; j != nil && j.linked <= linked; j = j.later {
		if j.memory == f.memory && !j.settled {
			n++
		}
	}
	return n
}

// forget notes that the server has forgotten some of its deliveries, or that other
// instances may have settled some. It is unknown which deliveries, so no delivery
// counts until it comes again: the session requests the deliveries that the server
// knows, and the server delivers the others by itself.
func (f *inflight) forget() { f.memory++ }

// discard removes all jobs that no worker has, and returns their reply subjects in
// the order of the lane.
func (s *Source) discard() []string {
	var gone []*Job
	for j := s.first; j != nil; {
		next := j.later
		if j.state != jobRunning {
			gone = append(gone, j)
			s.unlink(j)
			j.state = jobDiscarded
		}
		j = next
	}
	for _, j := range gone {
		if j.line != nil {
			s.rows.leave(j)
		}
	}
	s.session.held = nil
	slices.SortFunc(gone, func(a, b *Job) int { return cmp.Compare(a.Seq, b.Seq) })
	replies := make([]string, len(gone))
	for i, j := range gone {
		replies[i] = j.Reply
	}
	return replies
}
