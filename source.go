package replhub

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

const (
	// pullTime is how long a request for messages stands. A partition's must be
	// renewed within the two seconds that the server keeps a pin for.
	pullTime = 1500 * time.Millisecond
	// silence is how many seconds without a word from the server make a request
	// lost.
	silence = 4
	// fast and slow are the times between two requests that have the window grow
	// and shrink.
	fast = 100 * time.Millisecond
	slow = time.Second
	// headerPin is the server's proof that a partition's consumer is ours.
	headerPin = "Nats-Pin-Id"
	// handledRoom is how many handled copies a partition remembers: as many as
	// the server has unacknowledged at most, by default.
	handledRoom = 1024
)

// source takes messages from one consumer of the lane and gives them to the
// desk, whose mutex guards it. It asks only for what it has room for, so that
// every message that the server has sent is known to the desk and kept alive.
type source struct {
	s         *Subscriber
	desk      *desk
	consumer  string
	partition int
	ordered   bool
	ackWait   time.Duration
	born      string // names the consumer's incarnation
	// ctx is the handlers'; it is cancelled when their time is over.
	ctx    context.Context //nolint:containedctx // it lives as long as the source
	cancel context.CancelFunc
	inbox  string
	sub    *nats.Subscription

	// window is how many jobs may be in flight, at most ceiling: as many as are
	// done in about a tenth of a second, so that what is slow is left to others.
	window, ceiling int
	asked           int // messages that the server may still send
	askedAt         time.Time
	heard           uint32
	// active counts the jobs in flight that are not blocked, flight all.
	active, flight, running int
	first, latest           *job   // in flight
	linked                  uint64 // counts the jobs that were put in flight
	// newest is the consumer's sequence of the last delivery. view counts how often
	// the server forgot deliveries: one that was killed knows its consumers as they
	// were a moment before.
	newest uint64
	view   int
	// highest is the greatest of the lane's sequences that came for the first time,
	// created when the consumer was.
	highest uint64
	created time.Time
	quiet   chan struct{}
	closed  bool
	// tookAt is the desk's second of the last message. mostWaiting bounds the events
	// that wait for other rows, where they crowd the queue; 0 is no bound. looking says
	// that the server is being asked about it.
	tookAt      uint32
	mostWaiting int
	looking     bool

	session session
	handled []uint64 // a ring of the last copies that were settled
	at      int
}

// take is called for each message, on the subscription's own goroutine.
func (s *source) take(m *nats.Msg) {
	if len(m.Data) == 0 {
		if status := header(m.Header, "Status"); status != "" {
			s.status(status, m)
			return
		}
	}
	c, ok := parseReply(m.Reply)
	if !ok {
		return
	}
	j := newJob(s, m, c)
	d := s.desk
	d.mu.Lock()
	if s.closed || m.Sub != s.sub {
		back := s.closed && m.Sub == s.sub
		d.mu.Unlock()
		if back { // it was on its way when the intake ended
			s.s.respond(m.Reply, ackAgain)
		}
		return
	}
	s.heard, s.tookAt = d.seconds, d.seconds
	s.asked = max(s.asked-1, 0)
	if s.ordered && !s.inSession(j, c.consumer) {
		ask, handled := s.credit(), s.wasHandled(j.seq)
		d.mu.Unlock()
		s.ask(ask)
		if handled {
			s.s.respond(j.msg.Reply, ackDone)
		}
		return
	}
	j.tick = d.tick
	if c.delivered > 1 && !s.ordered && s.known(j.seq) != nil {
		d.mu.Unlock()
		return
	}
	s.link(j)
	if s.ordered && s.session.state != sessionOpen {
		s.session.hold(s, j)
	} else {
		d.enqueue(j)
	}
	ask := s.credit()
	d.mu.Unlock()
	s.ask(ask)
}

// status takes a word of the server's that is no message.
func (s *source) status(status string, m *nats.Msg) {
	d := s.desk
	d.mu.Lock()
	if m.Sub != s.sub {
		d.mu.Unlock()
		return
	}
	s.heard = d.seconds
	pending, err := strconv.Atoi(header(m.Header, "Nats-Pending-Messages"))
	if err != nil {
		pending = s.asked
	}
	s.asked = max(s.asked-pending, 0)
	description := header(m.Header, "Description")
	var ask pull
	switch {
	case s.closed:
	case status == "408", status == "404":
		ask = s.credit()
	case status == "423":
		s.asked = 0
		s.session.unpinned(s)
		ask = s.credit()
	case status == "503", status == "400", strings.Contains(description, "Consumer"):
		s.asked = 0
		s.s.replan() // the consumer is not there, or not as it was
	default: // such as a change of leaders; asked for again within a second
		s.asked = 0
		s.session.restart(s)
	}
	d.mu.Unlock()
	s.ask(ask)
}

// pull is a request for messages that is to be sent; none when batch is 0.
type pull struct {
	batch int
	inbox string // where they are to come
}

// credit is what to ask for now.
func (s *source) credit() pull {
	if s.desk.outage.on() {
		return s.creditForProbe()
	}
	free := s.window - s.asked - s.active
	if s.closed || s.desk.closed || free <= 0 || (s.asked > 0 && free < s.window/2) || !s.session.mayAsk(s) {
		return pull{}
	}
	if s.ordered && s.desk.lapsed() {
		return pull{} // a new pin, got now, would seem to prove that the partition is ours
	}
	s.pace(time.Now())
	free = max(s.window-s.asked-s.active, 0)
	s.asked += free
	return pull{batch: free, inbox: s.inbox}
}

// creditForProbe asks for one event, and only where the desk has no other than the
// one that may have met the outage alone.
func (s *source) creditForProbe() pull {
	if s.closed || s.desk.closed || s.asked > 0 || s.active >= s.window || s.desk.candidates() > 1 || !s.session.mayAsk(s) ||
		s.ordered && s.desk.lapsed() {
		return pull{}
	}
	s.asked = 1
	return pull{batch: 1, inbox: s.inbox}
}

// pace fits the window to how long the jobs take that were asked for last.
func (s *source) pace(now time.Time) {
	took := now.Sub(s.askedAt)
	s.askedAt = now
	switch {
	case s.ordered && s.session.state != sessionOpen:
	case took < fast:
		s.window = min(2*s.window, s.ceiling)
	case took > slow && s.active > 0:
		s.window = max(s.window/2, min(s.s.cfg.leastWindow(), s.ceiling))
	}
}

// ask sends a request, unless the source has begun anew since it was made. The
// desk's mutex is not held.
func (s *source) ask(p pull) {
	if p.batch == 0 {
		return
	}
	b := make([]byte, 0, 96)
	b = append(b, `{"batch":`...)
	b = strconv.AppendInt(b, int64(p.batch), 10)
	b = append(b, `,"expires":`...)
	b = strconv.AppendInt(b, int64(pullTime), 10)
	if s.ordered {
		b = append(b, `,"group":"`+contract.GroupWorkers+`"`...)
		s.desk.mu.Lock()
		pin, stale := s.session.pin, s.inbox != p.inbox
		s.desk.mu.Unlock()
		if stale {
			return
		}
		if pin != "" {
			b = append(b, `,"id":"`+pin+`"`...)
		}
	}
	b = append(b, '}')
	// An error is a closed connection; a lost request is noticed by its silence.
	_ = s.s.client.nc.PublishRequest(s.s.api+"CONSUMER.MSG.NEXT."+s.s.stream+"."+s.consumer, p.inbox, b)
}

// watch notices a request that was lost, and asks where nothing is asked for.
func (s *source) watch() pull {
	if s.asked > 0 && s.desk.seconds-s.heard > silence {
		s.asked = 0
		s.heard = s.desk.seconds
		s.session.restart(s)
	}
	return s.credit()
}

// link puts a job in flight.
func (s *source) link(j *job) {
	s.flight++
	s.active++
	s.linked++
	j.linked, j.view = s.linked, s.view
	j.earlier = s.latest
	if s.latest == nil {
		s.first = j
	} else {
		s.latest.later = j
	}
	s.latest = j
}

// unlink takes it out.
func (s *source) unlink(j *job) {
	s.flight--
	j.unblock()
	s.active--
	s.settledOld(j)
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

// known is the job in flight of a copy, or nil.
func (s *source) known(seq uint64) *job {
	for j := s.latest; j != nil; j = j.earlier {
		if j.seq == seq {
			return j
		}
	}
	return nil
}

// remember notes that a copy is settled: the server may not hear of it, and
// send it again behind newer ones of its key.
func (s *source) remember(seq uint64) {
	if !s.ordered {
		return
	}
	if len(s.handled) < handledRoom {
		s.handled = append(s.handled, seq)
		return
	}
	s.handled[s.at] = seq
	s.at = (s.at + 1) % handledRoom
}

func (s *source) wasHandled(seq uint64) bool { return slices.Contains(s.handled, seq) }

// settledOld notes that a job from before the session is settled, or failed
// once and so holds up its own key alone.
func (s *source) settledOld(j *job) {
	if !j.old {
		return
	}
	j.old = false
	if s.session.old--; s.session.old == 0 {
		s.session.poke()
	}
}

// drop takes all jobs out that no worker has, and returns their reply subjects
// in the order of the lane.
func (s *source) drop() []string {
	var left []*job
	for j := s.first; j != nil; {
		next := j.later
		if j.state != jobRunning {
			left = append(left, j)
			s.unlink(j)
			j.state = jobDropped
		}
		j = next
	}
	for _, j := range left {
		if j.line != nil {
			s.desk.leave(j)
		}
	}
	s.session.held = nil
	slices.SortFunc(left, func(a, b *job) int { return cmp.Compare(a.seq, b.seq) })
	replies := make([]string, len(left))
	for i, j := range left {
		replies[i] = j.msg.Reply
	}
	return replies
}

// leave takes a dropped job out of its row's line.
func (d *desk) leave(j *job) {
	line := d.lines[j.row]
	if line == nil || line != j.line {
		return
	}
	line.tail = nil
	var last *job
	for at := line.head; at != nil; at = at.behind {
		if at.state == jobDropped {
			continue
		}
		if last == nil {
			line.head = at
		} else {
			last.behind = at
		}
		last, line.tail = at, at
	}
	if last == nil {
		delete(d.lines, j.row)
		return
	}
	last.behind = nil
}
