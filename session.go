package replhub

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// session is one unbroken run of deliveries of a partition to this instance. It
// begins when the partition comes here and after every doubt: a lost pin, a gap
// in the deliveries, a reconnect. What was delivered before it, to whomever, is
// settled first: the session collects all of it, puts it into the rows' lines in
// order, and keeps what is new back until the old is settled or has failed once
// and so holds up its own key alone. The desk's mutex guards it.
type session struct {
	number int
	state  sessionState
	// confirmed: a hub has given us the partition, or the pin proves it.
	confirmed bool
	proving   bool
	began     time.Time
	pin       string
	last      uint64 // the consumer's sequence of the last delivery; 0: none yet
	looked    bool   // at what was delivered before; nothing is asked for until then
	held      []*job
	dropped   []string // replies of what was dropped at the last doubt
	old       int      // jobs from before the session that are not settled
	news      chan struct{}
}

type sessionState uint8

const (
	sessionCollecting sessionState = iota // what was delivered before
	sessionSettling                       // the new waits for the old
	sessionOpen
)

const (
	// settlePoll is the time between looks whether the old is settled, at first;
	// slowPoll that when it takes long.
	settlePoll = 50 * time.Millisecond
	slowPoll   = 500 * time.Millisecond
	// settleRoom is room for what is new beside what was delivered before.
	settleRoom = 16
	// nakEvery is the least time between calls for what others have taken. Each
	// counts as a delivery to the server.
	nakEvery = time.Second
	// nakAfter lets what is on its way arrive before it is called for.
	nakAfter = 250 * time.Millisecond
	// nakSpan bounds the sequences that are called for one by one; beyond it the
	// server's ack wait has to do.
	nakSpan = 100_000
)

// inSession takes a delivery's place in the session; false for one that is
// known already.
func (s *source) inSession(j *job, consumerSeq uint64) bool {
	n := &s.session
	if consumerSeq <= s.newest {
		s.forgotten()
	}
	s.newest = consumerSeq
	pin := header(j.msg.Header, headerPin)
	delete(j.msg.Header, headerPin)
	if (n.pin != "" && pin != n.pin) || (n.last != 0 && consumerSeq != n.last+1) {
		n.pin = pin
		n.restart(s)
	}
	if pin != "" && n.pin == pin {
		n.proven()
	}
	n.pin, n.last = pin, consumerSeq
	if j.delivered == 1 && j.seq > s.highest {
		s.highest = j.seq
		return true
	}
	// Delivered before, to whomever, whether the server knows that or not.
	if known := s.known(j.seq); known != nil {
		known.view = s.view
		return false
	}
	return !s.wasHandled(j.seq)
}

// hold keeps a delivery until the session allows it.
func (n *session) hold(s *source, j *job) {
	if n.state == sessionSettling && j.delivered > 1 {
		n.admit(s, j) // turned up late; its line puts it where it belongs
		return
	}
	n.held = append(n.held, j)
	n.poke()
}

// admit gives the desk a job from before the session.
func (n *session) admit(s *source, j *job) {
	j.old = true
	n.old++
	s.desk.enqueue(j)
}

func (n *session) poke() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// mayAsk: nothing is asked for before it is clear that the partition is ours,
// and that what others left is called for.
func (n *session) mayAsk(s *source) bool {
	return !s.ordered || n.state == sessionOpen || n.proving || (n.confirmed && n.looked)
}

// proven notes that a message came by our pin, in answer to what was asked since
// the doubt. That a request ends without one proves nothing: the server looks at
// its pin when it has a message.
func (n *session) proven() {
	if n.proving {
		n.proving, n.confirmed = false, true
		n.poke()
	}
}

// unpinned notes that the server does not know our pin any more.
func (n *session) unpinned(s *source) {
	n.pin, n.proving = "", false
	n.restart(s)
}

// restart begins a session anew; jobs under way go on, in their lines.
func (n *session) restart(s *source) {
	n.last = 0
	if !s.ordered || s.closed {
		return
	}
	if n.state == sessionCollecting && len(n.held) == 0 {
		n.looked = false // what came, and was lost, has to be called for
		n.poke()
		return
	}
	n.begin(s)
}

// begin begins a session and has it settled. What the one before held back is
// called for with the rest: nothing else may ever come that shows whose the pin
// is.
func (n *session) begin(s *source) {
	for _, j := range n.held {
		s.unlink(j)
		j.state = jobDropped
	}
	n.held = nil
	n.number++
	n.state, n.looked, n.began = sessionCollecting, false, time.Now()
	number := n.number
	n.poke()
	s.s.wg.Go(func() { s.settle(s.ctx, number) })
}

// settle brings one session to its opening.
func (s *source) settle(ctx context.Context, number int) {
	var called time.Time
	var poll time.Duration // the first look is at once
	for s.await(ctx, number, poll) {
		poll = min(max(2*poll, settlePoll), slowPoll)
		d := s.desk
		d.mu.Lock()
		before, newest, view := s.linked, s.newest, s.view
		d.mu.Unlock()
		info, err := s.s.info(ctx, s.consumer)
		if err != nil {
			if ctx.Err() == nil {
				s.s.client.log.Debug("look at a partition", "consumer", s.consumer, "err", err)
			}
			continue
		}
		d.mu.Lock()
		n := &s.session
		if n.number != number || s.closed {
			d.mu.Unlock()
			n.poke() // it may have been the next session's
			return
		}
		if !s.remembered(info, newest, view) {
			d.mu.Unlock()
			return
		}
		others := info.NumAckPending - s.inFlightSince(before)
		// Nothing can be on its way where nothing was asked for.
		quietBefore := n.number == 1
		s.window = max(s.window, min(info.NumAckPending, handledRoom)+settleRoom)
		var calls, done []uint64
		if others > 0 && time.Since(called) > nakEvery && (quietBefore && !n.looked || time.Since(n.began) > nakAfter) {
			calls, done = s.unknown(info)
			called = time.Now()
		}
		opened := n.advance(s, info, others)
		if others <= 0 && n.last == 0 {
			poll = -1 // nothing to settle, and whose the pin is shows when something comes
		}
		n.looked = true
		ask := s.credit()
		d.mu.Unlock()
		for _, seq := range done {
			s.s.respond(ackSubject(s.s.stream, s.consumer, seq, info.Delivered.Consumer), ackDone)
		}
		for _, seq := range calls {
			s.s.respond(ackSubject(s.s.stream, s.consumer, seq, info.Delivered.Consumer), ackAgain)
		}
		s.ask(ask)
		if opened {
			return
		}
	}
}

// await waits until the partition is confirmed to be ours, and then for news or
// the time to look; a negative time is never. It returns false when the session
// is not the present one any more.
func (s *source) await(ctx context.Context, number int, poll time.Duration) bool {
	n := &s.session
	var look <-chan time.Time
	if poll > 0 {
		timer := time.NewTimer(poll)
		defer timer.Stop()
		look = timer.C
	}
	due := poll == 0
	for {
		s.desk.mu.Lock()
		current, confirmed := n.number == number && !s.closed, n.confirmed
		s.desk.mu.Unlock()
		switch {
		case !current:
			n.poke() // it may have been the next session's
			return false
		case confirmed && due:
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-look:
			due = true
		case <-n.news:
			due = true
		}
	}
}

// advance moves the session on as far as it goes, and reports whether it is
// open. others is how many deliveries somebody else may have.
func (n *session) advance(s *source, info *jetstream.ConsumerInfo, others int) bool {
	if n.last == 0 {
		return false // whose the pin is nobody knows yet
	}
	if n.state == sessionCollecting && others <= 0 {
		slices.SortFunc(n.held, func(a, b *job) int { return cmp.Compare(a.seq, b.seq) })
		fresh := n.held[:0]
		for _, j := range n.held {
			if j.delivered > 1 {
				n.admit(s, j)
			} else {
				fresh = append(fresh, j)
			}
		}
		n.held, n.state = fresh, sessionSettling
	}
	if n.state != sessionSettling || n.old > 0 {
		return false
	}
	floor := len(n.held) == 0 || floorOf(info)+1 >= n.held[0].seq
	if others > 0 && !floor {
		return false
	}
	for _, j := range n.held {
		s.desk.enqueue(j)
	}
	n.held, n.state = nil, sessionOpen
	s.ceiling = s.s.cfg.window(s.s.shares)
	s.window = min(s.window, s.ceiling)
	return true
}
