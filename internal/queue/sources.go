package queue

import (
	"slices"
	"time"
)

// sources are the consumers that this instance uses: those of its partitions, or the only
// one of a lane without order.
type sources struct {
	env     *env
	rows    *rows
	outages *outages

	all    []*Source // open, or with running handlers
	shares int       // number of sources among which MaxInFlight is divided
	lease  lease     // unused in a lane without order
}

func (s *sources) open(created time.Time) *Source {
	s.shares = 1
	src := s.add(-1)
	src.created = created
	s.env.subscribe(src)
	src.pull()
	return src
}

func (s *sources) add(partition int) *Source {
	src := &Source{Partition: partition, env: s.env, rows: s.rows, outages: s.outages, sources: s, heard: s.env.seconds}
	src.size, src.ceiling = s.env.cfg.leastWindow(), s.ceiling()
	src.tookAt = s.env.seconds
	s.all = append(s.all, src)
	return src
}

// ceiling is the greatest number of events that one source may have in flight.
func (s *sources) ceiling() int { return s.env.cfg.ceiling(s.shares) }

func (s *sources) assigned(sent time.Time, ttl time.Duration, partitions []int) (freed bool) {
	if s.lapsed() {
		// The answer came late: another instance may have had the partitions meanwhile.
		s.doubt()
	}
	s.lease.ttl, s.lease.silent = ttl, false
	s.lease.renew(sent)
	s.shares = len(partitions)
	for _, src := range slices.Clone(s.all) {
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
func (s *sources) assign(partition int) {
	i := slices.IndexFunc(s.all, func(src *Source) bool { return src.Partition == partition })
	if i < 0 {
		src := s.add(partition)
		src.session.confirmed = true
		s.env.subscribe(src)
		src.session.begin(src)
		return
	}
	src := s.all[i]
	src.ceiling = s.ceiling()
	src.session.byPin = false
	if !src.session.confirmed {
		src.session.confirmed, src.session.proving = true, false
		src.session.news(src)
	}
}

func (s *sources) held() []int {
	list := make([]int, 0, len(s.all))
	for _, src := range s.all {
		list = append(list, src.Partition)
	}
	slices.Sort(list)
	return list
}

func (s *sources) inFlight() int {
	n := 0
	for _, src := range s.all {
		n += src.count
	}
	return n
}

// lapsed reports whether the lease on the partitions is over.
func (s *sources) lapsed() bool { return s.env.cfg.Ordered && s.lease.over(s.env.now) }

func (s *sources) noHub(sent time.Time) {
	if s.lease.over(s.env.now) {
		return // checkLease finds that the lease is over
	}
	s.lease.renew(sent)
	if !slices.ContainsFunc(s.all, (*Source).inDoubt) {
		s.lease.silent = false // the lease was not over before the hubs went
	}
	for _, src := range s.all {
		if !src.inDoubt() || src.session.proving || src.Pin == "" || s.lease.silent {
			continue
		}
		// Only a message of the server can show which instance has the partition now.
		// This instance keeps its partitions until then.
		src.session.proving = true
		s.env.ack(AckNak, src.session.discarded...)
		src.pull()
	}
}

// inDoubt reports whether another instance may have the source's partition.
func (s *Source) inDoubt() bool { return !s.closed && !s.session.confirmed }

func (s *sources) checkLease() {
	if len(s.all) == 0 || !s.lapsed() {
		return
	}
	s.doubt()
	s.lease.renew(s.env.now)
}

// doubt discards the jobs that have not begun, of all partitions.
func (s *sources) doubt() {
	for _, src := range s.all {
		if !src.closed {
			s.env.todo().StoodStill = s.env.now.Sub(s.lease.from)
			src.doubt()
		}
	}
}

// pull requests messages for every source that has room.
func (s *sources) pull() {
	for _, src := range s.all {
		src.pull()
	}
}

// progress sends in-progress acknowledgements for the jobs that have been in flight
// for a quarter of the ack wait or longer.
func (s *sources) progress() {
	for _, src := range s.all {
		for j := src.first; j != nil; j = j.later {
			if j.tick+1 < s.env.ticks {
				j.tick = s.env.ticks - 1
				s.env.ack(AckProgress, j.Reply)
			}
		}
	}
}

func (s *sources) closeAll() {
	for _, src := range slices.Clone(s.all) {
		s.close(src)
	}
}

// close ends a source's intake and gives back the jobs that have not begun.
func (s *sources) close(src *Source) {
	if src.closed {
		return
	}
	src.closed = true
	s.env.ack(AckNak, src.discard()...)
	out := s.env.todo()
	out.Unsubscribe = append(out.Unsubscribe, src)
	if src.running == 0 {
		s.free(src)
	}
}

// free removes a closed source whose handlers have ended.
func (s *sources) free(src *Source) {
	i := slices.Index(s.all, src)
	if i < 0 {
		return
	}
	s.all = slices.Delete(s.all, i, i+1)
	out := s.env.todo()
	out.Freed = append(out.Freed, src)
}
