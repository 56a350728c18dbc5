package replhub_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// events are as many as one instance takes at once, whatever its pace.
const events = 16

// standing is an instance whose process stands still while two handlers run and
// more events wait.
type standing struct {
	*instance

	l        *lab
	book     *book
	repeated atomic.Int32 // deliveries that were not the first
	finish   chan struct{}
}

func newStanding(t *testing.T, l *lab) *standing {
	t.Helper()
	s := &standing{l: l, book: newBook(), finish: make(chan struct{})}
	begun := make(chan struct{}, 2)
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 1}
	s.instance = l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue), Workers: 2}, func(_ context.Context, d *replhub.Delivery) error {
		select {
		case begun <- struct{}{}:
		default: // only the first two are waited for
		}
		<-s.finish
		if d.Attempt > 1 {
			s.repeated.Add(1)
		}
		defer s.book.begin("a", d)()
		return nil
	})
	l.feed(0, events, keyed(events))
	for range 2 {
		select {
		case <-begun:
		case <-s.done:
			t.Fatalf("the instance has ended: %v", s.err)
		}
	}
	// Nothing is on its way that would come while the process stands.
	l.eventually("all to be taken", func() error { return count("in flight", s.sub.InFlight(), events) })
	return s
}

// standStill has a minute pass between two of its instructions.
func (s *standing) standStill() {
	s.sub.StandStill(time.Minute)
	close(s.finish)
}

func (s *standing) handles(n int) {
	s.l.t.Helper()
	s.l.eventually("the events", func() error { total, _ := s.book.counts(); return count("events", total, n) })
	s.book.check(s.l.t)
}

// handlesWhatHadBegun waits until the two events that had begun are handled. No other
// one begins.
func (s *standing) handlesWhatHadBegun() {
	s.l.t.Helper()
	s.l.eventually("what had begun", func() error {
		if total, _ := s.book.counts(); total < 2 {
			return count("events", total, 2)
		}
		return nil
	})
	<-time.After(100 * time.Millisecond)
	if total, _ := s.book.counts(); total != 2 {
		s.l.t.Errorf("%d events were handled, want only the 2 that had begun", total)
	}
}

func TestStandstillDropsWhatHasNotBegun(t *testing.T) {
	l := newLab(t)
	l.startHub()
	s := newStanding(t, l)
	s.standStill()
	s.handles(events)
	if n := s.repeated.Load(); n != events-2 {
		t.Errorf("%d were collected again, want the %d that had not begun", n, events-2)
	}
}

func TestStandstillWithoutAHubGoesOnByThePin(t *testing.T) {
	l := newLab(t)
	stop, err := startHub(l.url)
	if err != nil {
		t.Fatal(err)
	}
	s := newStanding(t, l)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.standStill()
	s.handles(events)
	if n := s.repeated.Load(); n != events-2 {
		t.Errorf("%d were collected again, want the %d that had not begun", n, events-2)
	}
}

// Without a hub to ask and without the pin, somebody else may have the
// partition.
func TestStandstillWithoutHubAndPinWaits(t *testing.T) {
	l := newLab(t)
	stop, err := startHub(l.url)
	if err != nil {
		t.Fatal(err)
	}
	s := newStanding(t, l)
	const all = events + 600 // more than may be in flight
	l.feed(events, all, keyed(events))
	l.eventually("the copies", func() error {
		status, err := l.client(func(c *replhub.Config) { c.Service = "sharing" }).Describe(t.Context())
		if err != nil {
			return err
		}
		return count("backlog", int(status.Backlog), all)
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// The server gives up a pin that nobody asks with for two seconds.
	<-time.After(2500 * time.Millisecond)
	s.sub.LosePins(time.Minute)
	close(s.finish)
	<-time.After(2500 * time.Millisecond)
	if total, _ := s.book.counts(); total != 2 {
		t.Errorf("%d events were handled, want only the 2 that had begun", total)
	}
	l.startHub()
	s.handles(all)
}

// A hub that does not answer in time is no proof that no hub runs: the requests of this
// instance may go to a frozen hub, while another hub gives its partition away.
func TestFrozenHubKeepsNoLease(t *testing.T) {
	l := newLab(t)
	stop, err := startHub(l.url)
	if err != nil {
		t.Fatal(err)
	}
	s := newStanding(t, l)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 10)
	frozen, err := l.js().Conn().Subscribe("replhub.join.sharing", func(*nats.Msg) { asked <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	<-asked // at least half a second after the last proof that no hub runs
	<-asked // the first request had no answer for a second
	s.sub.StandStill(1650 * time.Millisecond)
	close(s.finish)
	s.handlesWhatHadBegun()
	if err := frozen.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	l.startHub()
	s.handles(events)
}

// An instance at a leaf node that is cut off hears that no hub is there. Hubs may run
// where the lane is.
func TestCutOffLeafnodeKeepsNoLease(t *testing.T) {
	server := cluster.StartNATS(t, cluster.NATSName("center"), cluster.NATSLeafnodes(), cluster.NATSJetStream("domain: center"))
	leaf := cluster.StartNATS(t, cluster.NATSName("leaf"), cluster.NATSLeafOf(server), cluster.NATSJetStream("domain: leaf"))
	server.AwaitLeaf()
	stop, err := startHub(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	s := newStanding(t, &lab{t: t, url: leaf.URL(), domain: "center"})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	<-time.After(1500 * time.Millisecond) // two requests, to which the leaf node says that nobody is there
	s.sub.StandStill(1800 * time.Millisecond)
	close(s.finish)
	s.handlesWhatHadBegun()
	server.Start()
	if stop, err = startHub(server.URL()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	s.handles(events)
}

// What runs on through a standstill may have been settled by somebody else
// meanwhile: it does not stand for what that one left behind.
func TestStandstillCountsNothingThatOthersMayHaveSettled(t *testing.T) {
	l := newLab(t)
	l.startHub()
	rec, begun, finish := newBook(), make(chan struct{}, 3), make(chan struct{})
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 1, AckWait: time.Hour} // what is not called for does not come
	i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)}, func(_ context.Context, d *replhub.Delivery) error {
		begun <- struct{}{}
		<-finish
		defer rec.begin("a", d)()
		return nil
	})
	inFlight := func(n int) {
		t.Helper()
		l.eventually("the events", func() error { return count("in flight", i.sub.InFlight(), n) })
	}
	l.feed(0, 2, keyed(1))
	<-begun
	inFlight(2)
	workers, err := l.js().Consumer(t.Context(), "SUB_sharing", "workers-0")
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else settles the first of the two.
	got := workers.CachedInfo().Delivered
	ack := fmt.Sprintf("$JS.ACK.SUB_sharing.workers-0.1.%d.%d.0.0", got.Stream-1, got.Consumer-1)
	if err := l.js().Conn().Publish(ack, []byte("+ACK")); err != nil {
		t.Fatal(err)
	}
	l.eventually("the acknowledgement", func() error {
		info, err := workers.Info(t.Context())
		if err != nil {
			return err
		}
		return count("unacknowledged", info.NumAckPending, 1)
	})
	i.sub.StandStill(time.Minute)() // the second has not begun
	l.feed(2, 3, keyed(1))
	inFlight(3)
	close(finish)
	l.eventually("the events", func() error { total, _ := rec.counts(); return count("events", total, 3) })
	rec.check(t)
}
