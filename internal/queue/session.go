package queue

import (
	"cmp"
	"slices"
	"time"
)

// session is one unbroken run of deliveries of a partition to this instance. A
// session begins when this instance gets the partition, and after every doubt: a lost
// pin, a gap in the deliveries, a reconnect. Copies delivered before the session, to
// this instance or another, are settled first. The session collects all these old
// copies, puts them into the rows' lines in order, and holds new copies back until
// each old copy is settled, or has failed once and so holds up only its own row.
type session struct {
	number int
	state  sessionState
	// confirmed says that this instance has the partition, by the word of a hub or by
	// the pin.
	confirmed bool
	// proving says that a message was requested whose pin would confirm the partition.
	// byPin says that only the pin confirms it: a hub may have given the partition to
	// another instance, which waits for the pin.
	proving, byPin bool

	began     time.Time
	last      uint64 // the consumer's sequence of the last delivery; 0: none yet
	looked    bool   // earlier deliveries were examined; no message is requested before that
	held      []*Job
	discarded []string // reply subjects of the jobs discarded at the last doubt
	inherited int      // jobs from before the session that are not settled
	look      look
}

type sessionState uint8

const (
	sessionCollecting sessionState = iota // collects the copies delivered before
	sessionSettling                       // new copies wait for the old ones
	sessionOpen
)

// look is a session's look at the server's outstanding deliveries.
type look struct {
	wanted bool      // a look is wanted, as soon as the partition is confirmed and no other look is under way
	asking bool      // a look is under way
	stale  bool      // it was asked before the session began again, so its answer does not count
	due    time.Time // when the next look is due; zero means when there is news
	pause  time.Duration
	called time.Time // when the server was last asked to redeliver the copies of other instances
	// Values from when the server was asked.
	linked, newest uint64
	memory         int
}

const (
	// settlePoll is the time between looks whether the old copies are settled. It grows
	// to slowPoll when settling takes long.
	settlePoll = 50 * time.Millisecond
	slowPoll   = 500 * time.Millisecond
	// settleRoom is the room for new copies beside the old ones.
	settleRoom = 16
	// nakEvery is the least time between requests to redeliver the copies of other
	// instances. The server counts each redelivery.
	nakEvery = time.Second
	// nakAfter lets messages on their way arrive before they are requested again.
	nakAfter = 250 * time.Millisecond
)

// inSession notes a delivery's place in the session; false for a delivery that is
// already known.
func (s *Source) inSession(j *Job, at Place) bool {
	n := &s.session
	if at.Seq <= s.newest {
		s.forget()
	}
	s.newest = at.Seq
	proof := at.Pin != "" && at.Pin == s.Pin
	if (s.Pin != "" && at.Pin != s.Pin) || (n.last != 0 && at.Seq != n.last+1) {
		s.Pin = at.Pin
		n.restart(s)
	}
	if proof {
		n.proven(s)
	}
	s.Pin, n.last = at.Pin, at.Seq
	if j.Delivered == 1 && j.Seq > s.highest {
		s.highest = j.Seq
		return true
	}
	// The copy was delivered before, to this instance or another, even if the server
	// has forgotten that.
	if known := s.known(j.Seq); known != nil {
		known.memory, known.doubted = s.memory, false // no instance has settled it
		return false
	}
	return !s.handled.has(j.Seq)
}

// hold keeps a delivery until the session allows it.
func (n *session) hold(s *Source, j *Job) {
	if n.state == sessionSettling && j.Delivered > 1 {
		n.admit(s, j) // an old copy that came late; its line puts it in order
		return
	}
	n.held = append(n.held, j)
	n.news(s)
}

// admit lets a job from before the session into its line.
func (n *session) admit(s *Source, j *Job) {
	j.inherited = true
	n.inherited++
	s.rows.enqueue(j)
}

// settledInherited notes that a job from before the session is settled, or has failed
// once and so holds up only its own row.
func (s *Source) settledInherited(j *Job) {
	if !j.inherited {
		return
	}
	j.inherited = false
	if s.session.inherited--; s.session.inherited == 0 {
		s.session.news(s)
	}
}

// mayAsk reports whether messages may be requested: this instance is known to have the
// partition, and the deliveries that other instances left have been requested.
func (n *session) mayAsk(s *Source) bool {
	return !s.env.cfg.Ordered || n.state == sessionOpen || n.proving || (n.confirmed && n.looked)
}

// proven notes that a message came with this instance's pin, in answer to a request
// made since the doubt. A request that ends without a message proves nothing: the
// server checks the pin only when it has a message.
func (n *session) proven(s *Source) {
	if n.proving {
		n.proving, n.confirmed, n.byPin = false, true, true
		n.news(s)
	}
}

// unpinned notes that the server no longer knows this instance's pin.
func (n *session) unpinned(s *Source) {
	s.Pin, n.proving = "", false
	n.interrupted(s)
}

// interrupted notes that the server may have given the pin to another instance, or that
// messages may have been lost.
func (n *session) interrupted(s *Source) {
	if n.byPin {
		s.doubt()
		return
	}
	n.restart(s)
}

// restart begins a new session. Running jobs continue, in their lines.
func (n *session) restart(s *Source) {
	n.last = 0
	if !s.env.cfg.Ordered || s.closed {
		return
	}
	if n.state == sessionCollecting && len(n.held) == 0 {
		n.looked = false // copies that were sent and lost must be requested again
		n.look.stale = n.look.asking
		n.news(s)
		return
	}
	n.begin(s)
}

// begin begins a session with an immediate look. Copies that the previous session held
// back are requested with the rest, because it may be that no other message ever comes
// that shows whose the pin is.
func (n *session) begin(s *Source) {
	for _, j := range n.held {
		s.unlink(j)
		j.state = jobDiscarded
	}
	n.held = nil
	n.number++
	n.state, n.looked, n.began, n.look = sessionCollecting, false, s.env.now, look{}
	n.news(s)
}

// news requests a look at the consumer, now or when the look under way has ended.
func (n *session) news(s *Source) {
	n.look.wanted = true
	n.lookAt(s)
}

// tick makes the session look when a look is due.
func (n *session) tick(s *Source) {
	if !n.look.due.IsZero() && !s.env.now.Before(n.look.due) {
		n.look.due = time.Time{}
		n.news(s)
	}
}

// lookAt asks the server about the consumer if the session wants a look and may have
// one.
func (n *session) lookAt(s *Source) {
	k := &n.look
	if !k.wanted || k.asking || !n.confirmed || s.closed || n.number == 0 || n.state == sessionOpen {
		return
	}
	k.wanted, k.asking, k.due = false, true, time.Time{}
	k.pause = min(max(2*k.pause, settlePoll), slowPoll)
	k.linked, k.newest, k.memory = s.linked, s.newest, s.memory
	s.env.askInfo(InfoRequest{Source: s, session: n.number})
}

// lookAgain schedules the next look after a pause, or at once if there was news.
func (n *session) lookAgain(s *Source, wait bool) {
	n.look.asking = false
	if wait {
		n.look.due = s.env.now.Add(n.look.pause)
		s.env.reschedule()
	}
	n.lookAt(s)
}

// seen takes the answer to a look; nil if no answer came.
func (n *session) seen(s *Source, number int, info *Info) {
	if n.number != number || s.closed {
		return // the answer is for an earlier session
	}
	if stale := n.look.stale; stale || info == nil {
		n.look.stale = false
		n.lookAgain(s, !stale)
		return
	}
	if !s.remembered(info) {
		return
	}
	n.look.stale = false // what began the session again is this answer
	others := info.Unacknowledged - s.since(n.look.linked)
	// No message can be on its way if none was requested.
	quietBefore := n.number == 1
	s.size = max(s.size, min(info.Unacknowledged, handledRoom)+settleRoom)
	if others > 0 && s.env.now.Sub(n.look.called) > nakEvery && (quietBefore && !n.looked || s.env.now.Sub(n.began) > nakAfter) {
		s.callFor(info)
		n.look.called = s.env.now
	}
	if n.advance(s, info, others) {
		n.look, n.looked = look{}, true
		s.pull()
		return
	}
	wait := true
	if others <= 0 && n.last == 0 {
		// There is nothing to settle, and the next message shows whose the pin is.
		wait, n.look.pause = false, 0
	}
	n.looked = true
	s.pull()
	n.lookAgain(s, wait)
}

// advance takes the session to the last state that it can reach now, and reports whether
// it is open. others is how many deliveries other instances may have.
func (n *session) advance(s *Source, info *Info, others int) bool {
	if n.last == 0 {
		return false // it is not known yet whose the pin is
	}
	if n.state == sessionCollecting && others <= 0 {
		n.release(s)
	}
	if n.state != sessionSettling || n.inherited > 0 {
		return false
	}
	settled := len(n.held) == 0 || info.floor()+1 >= n.held[0].Seq
	if others > 0 && !settled {
		return false
	}
	for _, j := range n.held {
		s.rows.enqueue(j)
	}
	n.held, n.state = nil, sessionOpen
	s.ceiling = s.sources.ceiling()
	s.size = min(s.size, s.ceiling)
	return true
}

// release lets the old copies into the rows' lines, in the order of the lane, and
// continues to hold the new ones back.
func (n *session) release(s *Source) {
	slices.SortFunc(n.held, func(a, b *Job) int { return cmp.Compare(a.Seq, b.Seq) })
	fresh := n.held[:0]
	for _, j := range n.held {
		if j.Delivered > 1 {
			n.admit(s, j)
		} else {
			fresh = append(fresh, j)
		}
	}
	n.held, n.state = fresh, sessionSettling
}
