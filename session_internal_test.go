package replhub

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// arrive puts deliveries into a source as its subscription would.
func arrive(s *source, redelivered bool, seqs ...uint64) {
	for _, seq := range seqs {
		j := &job{src: s, msg: &nats.Msg{}, seq: seq, delivered: 1, row: row{"user", strconv.FormatUint(seq%10, 10)}}
		if redelivered {
			j.delivered = 2
		}
		s.session.last++
		s.link(j)
		s.session.hold(s, j)
	}
}

// begun takes the jobs that workers would begin.
func begun(s *source) (jobs []*job) {
	for !s.desk.ready.empty() {
		jobs = append(jobs, nextJob(s.desk))
	}
	return jobs
}

func sequences(jobs []*job) []uint64 {
	var seqs []uint64
	for _, j := range jobs {
		seqs = append(seqs, j.seq)
	}
	return seqs
}

// newSession is a source in a session that has just begun.
func newSession() *source {
	s := &source{
		s: &Subscriber{cfg: Subscription{}.withDefaults()}, desk: newDesk(nil), ordered: true,
		session: session{news: make(chan struct{}, 1), confirmed: true},
	}
	s.desk.mu.Lock()
	return s
}

func floor(at uint64) *jetstream.ConsumerInfo {
	return &jetstream.ConsumerInfo{AckFloor: jetstream.SequenceInfo{Stream: at}}
}

// A new holder begins nothing before all that was delivered before is here; then
// the old, in order; and the new when the old is settled.
func TestSessionSettlesTheOldFirst(t *testing.T) {
	s := newSession()
	n := &s.session
	arrive(s, true, 18)
	arrive(s, false, 21, 22)
	arrive(s, true, 11)
	if n.advance(s, floor(10), 1) || len(begun(s)) > 0 {
		t.Fatal("begun while one is outstanding")
	}
	arrive(s, true, 12)
	if n.advance(s, floor(10), 0) {
		t.Error("open while the old is not settled")
	}
	old := begun(s)
	if got := sequences(old); !slices.Equal(got, []uint64{11, 12, 18}) {
		t.Fatalf("begun %v", got)
	}
	s.desk.done(old[0])
	s.desk.done(old[1])
	if n.advance(s, floor(12), 0) || len(begun(s)) > 0 {
		t.Error("the new begun while one of the old runs")
	}
	s.desk.done(old[2])
	if n.advance(s, floor(18), 1) {
		t.Error("open while somebody may have one below the new")
	}
	if !n.advance(s, floor(20), 1) {
		t.Error("not open though the ack floor has reached the new")
	}
	if got := sequences(begun(s)); !slices.Equal(got, []uint64{21, 22}) {
		t.Errorf("begun %v", got)
	}
}

// An old event that fails holds up its own key alone.
func TestSessionGoesOnBesideAFailure(t *testing.T) {
	s := newSession()
	n := &s.session
	arrive(s, true, 11)
	arrive(s, false, 21, 22)
	n.advance(s, floor(10), 0)
	s.desk.again(begun(s)[0], time.Now().Add(time.Hour))
	if !n.advance(s, floor(10), 0) {
		t.Error("not open")
	}
	if got := sequences(begun(s)); !slices.Equal(got, []uint64{22}) {
		t.Errorf("begun %v, want what is not of the failing key", got)
	}
}

// What came after the server was asked does not stand for what others have.
func TestLateDeliveriesDoNotHideOldOnes(t *testing.T) {
	s := newSession()
	arrive(s, true, 11, 12)
	asked := s.linked
	arrive(s, false, 21, 22)
	s.unlink(s.first)
	if n := s.inFlightSince(asked); n != 1 {
		t.Errorf("%d in flight since, want 1", n)
	}
}

// What the server has forgotten and delivers as new is not taken a second time,
// and what was handled is not begun again.
func TestForgottenDeliveryThatComesAgainIsTheSame(t *testing.T) {
	s := newSession()
	come := func(seq, consumerSeq uint64) bool {
		j := &job{src: s, msg: &nats.Msg{}, seq: seq, delivered: 1}
		if !s.inSession(j, consumerSeq) {
			return false
		}
		s.link(j)
		return true
	}
	for n := range uint64(3) {
		if !come(11+n, 1+n) {
			t.Fatalf("%d is not taken", 11+n)
		}
	}
	s.unlink(s.first)
	s.remember(11)
	s.session.last = 0 // a reconnect
	if come(11, 1) {
		t.Error("what was handled is taken again")
	}
	if n := s.inFlightSince(s.linked); n != 0 {
		t.Errorf("%d deliveries count that the server has forgotten", n)
	}
	if come(12, 2) {
		t.Error("what is in flight is taken again")
	}
	if n := s.inFlightSince(s.linked); n != 1 {
		t.Errorf("%d deliveries count, want the one that came again", n)
	}
	if come(13, 3); s.flight != 2 {
		t.Errorf("%d in flight", s.flight)
	}
	if !come(14, 4) {
		t.Error("what is new is not taken")
	}
}

// The server would answer with a new pin, and that would look like a proof that
// the partition is still this instance's.
func TestNothingIsAskedForOnceTheLeaseIsOver(t *testing.T) {
	s := newSession()
	s.window, s.ceiling, s.session.looked = 16, 16, true
	s.desk.lease = &lease{from: time.Now(), ttl: time.Hour}
	if s.credit().batch == 0 {
		t.Error("nothing is asked for under a lease")
	}
	s.asked = 0
	s.desk.lease.from = time.Now().Add(-2 * time.Hour)
	if n := s.credit().batch; n != 0 {
		t.Errorf("%d asked for", n)
	}
}
