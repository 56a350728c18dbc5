package replhub_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// strict is a nats-server that can keep the user "service" from telling it what
// became of deliveries. Everybody else is "hub" and may do anything.
type strict struct {
	t    *testing.T
	opts server.Options
	run  *server.Server
}

func (s *strict) users(deaf bool) []*server.User {
	may := &server.Permissions{}
	if deaf {
		may.Publish = &server.SubjectPermission{Deny: []string{"$JS.ACK.>"}}
	}
	return []*server.User{{Username: "hub", Password: "x"}, {Username: "service", Password: "x", Permissions: may}}
}

func (s *strict) start(deaf bool) {
	s.t.Helper()
	opts := s.opts
	opts.Users = s.users(deaf)
	run, err := server.NewServer(&opts)
	if err != nil {
		s.t.Fatal(err)
	}
	run.Start()
	if !run.ReadyForConnections(20 * time.Second) {
		s.t.Fatal("the server does not start")
	}
	s.run, s.opts.Port = run, opts.Port
}

// hear has a running server that was started deaf take what the service tells it,
// from new connections on.
func (s *strict) hear() {
	s.t.Helper()
	opts := s.opts
	opts.Users = s.users(false)
	if err := s.run.ReloadOptions(&opts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *strict) stop() {
	s.run.Shutdown()
	s.run.WaitForShutdown()
}

// connect gives a connection of one who may do anything.
func (s *strict) connect() (*nats.Conn, error) { return nats.Connect(s.run.ClientURL()) }

// scene is a strict server with a hub, and the service sharing with a lane of one
// partition.
type scene struct {
	*strict
	*lab

	rec *book
}

func newScene(t *testing.T, deaf bool) *scene {
	t.Helper()
	s := &strict{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), NoAuthUser: "hub",
	}}
	s.start(deaf)
	t.Cleanup(func() { s.stop() })
	stop, err := startHub(s.run.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	l := &lab{t: t, url: "nats://service:x@" + s.run.Addr().String()}
	client := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	if _, err := client.Register(t.Context(), users(replhub.Queue{Order: replhub.OrderKey, Partitions: 1})); err != nil {
		t.Fatal(err)
	}
	return &scene{strict: s, lab: l, rec: newBook()}
}

// ask asks the server something as somebody who may.
func (s *scene) ask(subject, request string) *nats.Msg {
	s.lab.t.Helper()
	nc, err := s.connect()
	if err != nil {
		s.lab.t.Fatal(err)
	}
	defer nc.Close()
	reply, err := nc.Request(subject, []byte(request), 10*time.Second)
	if err != nil {
		s.lab.t.Fatal(err)
	}
	return reply
}

// memory is the file in which a stopped server has what it knows of the queue.
func (s *scene) memory() string {
	s.lab.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.opts.StoreDir, "jetstream", "*", "streams", "SUB_sharing", "obs", "*", "o.dat"))
	if err != nil || len(found) != 1 {
		s.lab.t.Fatalf("the queue's state: %v %v", found, err)
	}
	return found[0]
}

func (s *scene) inFlight(i *instance, want int) {
	s.lab.t.Helper()
	s.eventually("events in flight", func() error { return count("in flight", i.sub.InFlight(), want) })
}

func (s *scene) handles(n int) {
	s.lab.t.Helper()
	s.eventually("the events", func() error { total, _ := s.rec.counts(); return count("events", total, n) })
	s.rec.check(s.lab.t)
}

// A server that was killed knows its queues as they were a moment before. What it
// has forgotten that it delivered must not stand for what it still has delivered
// and nobody holds any more.
func TestServerThatForgetsDeliveriesKeepsTheOrder(t *testing.T) {
	s := newScene(t, false)
	begun, finish := make(chan struct{}, 4), make(chan struct{})
	i := s.instance("sharing", replhub.SubscriberConfig{Workers: 2}, func(_ context.Context, d *replhub.Delivery) error {
		defer s.rec.begin("a", d)()
		begun <- struct{}{}
		<-finish
		return nil
	})
	key := func(n int) string { return []string{"slow", "slow", "other", "slow"}[n] }
	s.feed(0, 2, key)
	<-begun
	s.inFlight(i, 2) // the first runs, the second waits behind it
	s.stop()
	before, err := os.ReadFile(s.memory())
	if err != nil {
		t.Fatal(err)
	}
	s.start(false)
	s.feed(2, 3, key)
	<-begun // the third runs beside the first
	s.stop()
	if err := os.WriteFile(s.memory(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	i.sub.StandStill(time.Minute)
	s.inFlight(i, 2) // the second is dropped
	s.start(false)
	s.feed(3, 4, key)
	s.eventually("the last", func() error {
		if n := i.sub.InFlight(); n < 3 {
			return count("in flight", n, 3)
		}
		return nil
	})
	close(finish)
	s.handles(4)
}

// What is held back for what somebody else left does not wait for an event that
// may never come.
func TestHeldBackEventsAreHandledAfterAReconnect(t *testing.T) {
	const heldBack = 40
	s := newScene(t, true)
	one := func(int) string { return "k" }
	s.feed(0, 1, one)
	first := s.ask("$JS.API.CONSUMER.MSG.NEXT.SUB_sharing.workers-0", `{"batch":1,"expires":10000000000,"group":"`+contract.GroupWorkers+`"}`)
	i := s.instance("sharing", replhub.SubscriberConfig{}, func(_ context.Context, d *replhub.Delivery) error {
		defer s.rec.begin("a", d)()
		return nil
	})
	s.feed(1, 1+heldBack, one)
	s.inFlight(i, heldBack)
	if total, _ := s.rec.counts(); total > 0 {
		t.Errorf("%d events were handled before the oldest", total)
	}
	s.stop()
	port := s.opts.Port
	s.opts.Port = server.RANDOM_PORT // where the instance does not find it
	s.start(true)
	s.ask(first.Reply, "+ACK")
	s.stop()
	s.opts.Port = port
	s.start(false)
	s.handles(heldBack)
}

// An acknowledgement that got lost with the connection holds up nothing until the
// ack wait is over.
func TestLostAcknowledgementHoldsUpNothing(t *testing.T) {
	s := newScene(t, true)
	i := s.instance("sharing", replhub.SubscriberConfig{}, func(_ context.Context, d *replhub.Delivery) error {
		s.rec.begin("a", d)()
		return nil
	})
	one := func(int) string { return "k" }
	s.feed(0, 1, one)
	s.handles(1)
	s.inFlight(i, 0)
	s.hear()
	id, err := i.nc.GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run.DisconnectClientByID(id); err != nil {
		t.Fatal(err)
	}
	s.eventually("the instance to be back", func() error { return count("reconnects", int(i.nc.Stats().Reconnects), 1) })
	s.feed(1, 2, one)
	s.handles(2)
}

// A queue that was rewound while nobody was there to be told gives again what was
// handled, and it is handled again.
func TestQueueThatIsMadeAnewMeanwhileIsNoticed(t *testing.T) {
	for _, restarts := range []int{0, 1} {
		t.Run(fmt.Sprintf("after %d restarts", restarts), func(t *testing.T) {
			s := newScene(t, false)
			i := s.instance("sharing", replhub.SubscriberConfig{}, func(_ context.Context, d *replhub.Delivery) error {
				s.rec.begin("a", d)()
				return nil
			})
			const events = 5
			s.feed(0, events, func(int) string { return "k" })
			s.handles(events)
			s.inFlight(i, 0)
			for n := range restarts { // what follows finds a session that has seen nothing
				s.stop()
				s.start(false)
				s.eventually("the instance to be back", func() error { return count("reconnects", int(i.nc.Stats().Reconnects), n+1) })
			}
			s.stop()
			port := s.opts.Port
			s.opts.Port = server.RANDOM_PORT // where the instance does not find it
			s.start(false)
			s.rewind()
			s.stop()
			s.opts.Port = port
			s.start(false)
			s.eventually("the events again", func() error {
				_, repeats := s.rec.counts()
				return count("events", repeats, events)
			})
			s.rec.check(t)
		})
	}
}

// rewind creates the queue again, from its beginning, as the hub does.
func (s *scene) rewind() {
	s.lab.t.Helper()
	nc, err := s.connect()
	if err != nil {
		s.lab.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.lab.t.Fatal(err)
	}
	ctx := s.lab.t.Context()
	old, err := js.Consumer(ctx, "SUB_sharing", "workers-0")
	if err != nil {
		s.lab.t.Fatal(err)
	}
	if err := js.DeleteConsumer(ctx, "SUB_sharing", "workers-0"); err != nil {
		s.lab.t.Fatal(err)
	}
	if _, err := js.CreateConsumer(ctx, "SUB_sharing", old.CachedInfo().Config); err != nil {
		s.lab.t.Fatal(err)
	}
}
