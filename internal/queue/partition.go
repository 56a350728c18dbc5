package queue

import (
	"slices"
	"time"
)

// Assigned takes a hub's answer: the partitions of this instance, and the lease. sent
// is when the request was sent. It reports whether a partition was given up at once,
// so that another instance may have it.
func (s *Scheduler) Assigned(now, sent time.Time, ttl time.Duration, partitions []int) (freed bool) {
	s.now = now
	if s.lapsed() {
		// The answer came late: another instance may have had the partitions meanwhile.
		s.doubt()
	}
	s.lease.ttl, s.lease.silent = ttl, false
	s.lease.renew(sent)
	s.shares = len(partitions)
	for _, src := range slices.Clone(s.sources) {
		if !src.closed && !slices.Contains(partitions, src.Partition) {
			s.close(src)
			freed = freed || src.running == 0
		}
	}
	for _, p := range partitions {
		s.assign(p)
	}
	return freed
}

// assign takes a partition, or confirms one that is held.
func (s *Scheduler) assign(partition int) {
	i := slices.IndexFunc(s.sources, func(src *Source) bool { return src.Partition == partition })
	if i < 0 {
		src := s.newSource(partition)
		src.session.confirmed = true
		s.subscribe(src)
		src.session.begin(src)
		return
	}
	src := s.sources[i]
	src.ceiling = s.cfg.ceiling(s.shares)
	src.session.byPin = false
	if !src.session.confirmed {
		src.session.confirmed, src.session.proving = true, false
		src.session.news(src)
	}
}

// Held returns the partitions that this instance works on, including those that it is
// giving up.
func (s *Scheduler) Held() []int {
	list := make([]int, 0, len(s.sources))
	for _, src := range s.sources {
		list = append(list, src.Partition)
	}
	slices.Sort(list)
	return list
}

// Silence is why a request for partitions got no answer.
type Silence uint8

// Silences.
const (
	// NoAnswer means that no hub is known to be away. A hub that is slow, frozen or cut
	// off took the request, or a hub refused it. Meanwhile another hub may hear the other
	// instances, and give them the partitions of this one.
	NoAnswer Silence = iota
	// NoHub means that the server knows no hub, and can be reached itself.
	NoHub
)

// Unanswered notes that a request for partitions, sent at that time, got no answer.
// Without a hub, no partition changes its holder. Otherwise the lease runs out.
func (s *Scheduler) Unanswered(now, sent time.Time, why Silence) {
	s.now = now
	s.lease.silent = s.lease.silent || why == NoAnswer
	if why != NoHub || s.lease.over(now) {
		return // CheckLease finds that the lease is over
	}
	s.lease.renew(sent)
	if !slices.ContainsFunc(s.sources, (*Source).inDoubt) {
		s.lease.silent = false // the lease was not over before the hubs went
	}
	for _, src := range s.sources {
		if !src.inDoubt() || src.session.proving || src.Pin == "" || s.lease.silent {
			continue
		}
		// Only a message of the server can show which instance has the partition now.
		// This instance keeps its partitions until then.
		src.session.proving = true
		s.ack(AckNak, src.session.discarded...)
		src.pull()
	}
}

// inDoubt reports whether another instance may have the source's partition.
func (s *Source) inDoubt() bool { return !s.closed && !s.session.confirmed }

// CheckLease discards every job that has not begun when the lease is over, because
// another instance may have the job. If a hub or the pin confirms a partition, the jobs
// of that partition are collected again.
func (s *Scheduler) CheckLease(now time.Time) {
	s.now = now
	if len(s.sources) == 0 || !s.lapsed() {
		return
	}
	s.doubt()
	s.lease.renew(now)
}

// doubt discards the jobs that have not begun, of all partitions.
func (s *Scheduler) doubt() {
	for _, src := range s.sources {
		if !src.closed {
			s.todo().StoodStill = s.now.Sub(s.lease.from)
			src.doubt()
		}
	}
}

// doubt discards the jobs that have not begun, and begins a new session.
func (s *Source) doubt() {
	s.session.confirmed, s.session.proving, s.session.byPin = false, false, false
	s.session.discarded = s.discard()
	s.session.last, s.asked = 0, 0
	s.forget() // a job that still runs here may be settled by another instance
	for j := s.first; j != nil; j = j.later {
		j.doubted = true
	}
	s.s.subscribe(s)
	s.session.begin(s)
}

// close ends a source's intake and gives back the jobs that have not begun.
func (s *Scheduler) close(src *Source) {
	if src.closed {
		return
	}
	src.closed = true
	s.ack(AckNak, src.discard()...)
	out := s.todo()
	out.Unsubscribe = append(out.Unsubscribe, src)
	if src.running == 0 {
		s.free(src)
	}
}

// free removes a closed source whose handlers have ended.
func (s *Scheduler) free(src *Source) {
	i := slices.Index(s.sources, src)
	if i < 0 {
		return
	}
	s.sources = slices.Delete(s.sources, i, i+1)
	out := s.todo()
	out.Freed = append(out.Freed, src)
}
