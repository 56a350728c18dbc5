package queue

// The server bounds the events of a work queue that are delivered and not
// acknowledged, to 1000 by default. Events that wait for other rows can reach this
// bound while the rows that they wait for are behind them in the queue. If a queue
// stands still for this reason, half of its waiting events make room: they become dead
// letters, which this instance redrives when the other waiting events are done.
const (
	// crowdedAfter is the number of seconds without a message after which a queue may
	// be crowded.
	crowdedAfter = 1
	// maxSpilled bounds the remembered dead letters, and redriveAtOnce the dead letters
	// of one request to redrive.
	maxSpilled    = 10_000
	redriveAtOnce = 1000
	// maxSpills is how often an event is redriven after it has made room.
	maxSpills = 10
)

// crowding says whether waiting events fill a source's queue.
type crowding struct {
	tookAt uint32 // the second of the last message
	// mostWaiting bounds the events that wait for other rows; 0 means no bound.
	mostWaiting int
	looking     bool // the server is being asked
}

// spills are the dead letters of events that made room. This instance redrives them.
type spills struct {
	env       *env
	letters   []uint64
	redriving bool
}

func (s *spills) add(l Letter) {
	if l.Redriven < maxSpills && len(s.letters) < maxSpilled {
		s.letters = append(s.letters, l.Seq)
	}
}

// waiting is how many of the source's jobs wait for an attempt.
func (s *Source) waiting() int { return s.count - s.active }

// crowded reports whether an event that waits for another row must make room.
func (s *Source) crowded() bool { return s.mostWaiting > 0 && s.waiting() >= s.mostWaiting }

// crowded looks once a second for queues that stand still, and reports whether waiting
// events fill a queue.
func (s *sources) crowded() bool {
	crowded := false
	for _, src := range s.all {
		waiting := src.waiting()
		if waiting <= src.mostWaiting/2 {
			src.mostWaiting = 0
		}
		crowded = crowded || src.mostWaiting > 0
		if waiting > 0 && src.standsStill() && !s.outages.on() {
			src.looking, src.tookAt = true, s.env.seconds
			s.env.askInfo(InfoRequest{Source: src, waiting: waiting})
		}
	}
	return crowded
}

// redrive requests that the oldest dead letters are redriven.
func (s *spills) redrive() {
	if len(s.letters) == 0 || s.redriving {
		return
	}
	n := min(len(s.letters), redriveAtOnce)
	s.env.todo().Redrive = s.letters[:n:n]
	s.letters, s.redriving = s.letters[n:], true
}

// standsStill reports whether no message comes although there is room.
func (s *Source) standsStill() bool {
	return s.active < s.size && s.env.seconds-s.tookAt >= crowdedAfter && !s.closed && !s.looking
}

// crowdedBy takes the server's answer, and decides whether the queue stands still
// because too many of its events are unacknowledged. waiting is how many events
// waited when the request was made.
func (s *Source) crowdedBy(waiting int, info *Info) {
	s.looking = false
	if info == nil || info.Undelivered == 0 || info.MaxUnacknowledged <= 0 || info.Unacknowledged < info.MaxUnacknowledged {
		return
	}
	if s.mostWaiting > 0 {
		waiting = min(waiting, s.mostWaiting)
	}
	s.mostWaiting = max(waiting/2, 1)
	out := s.env.todo()
	out.Crowded = append(out.Crowded, Crowded{Source: s, Waiting: waiting})
}

func (s *spills) redriven(letters []uint64, failed, more bool, next uint64) {
	s.redriving = false
	switch {
	case failed:
		s.letters = append(letters, s.letters...)
	case more:
		for _, letter := range letters {
			if letter > next {
				s.letters = append(s.letters, letter)
			}
		}
	}
}
