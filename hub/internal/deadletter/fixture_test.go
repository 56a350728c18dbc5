package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server with one service's lane and, when started, a queue.
type fixture struct {
	t       *testing.T
	server  *natstest.Server
	js      jetstream.JetStream
	service subjects.Name
	stream  string
}

func newPost(t *testing.T, queue contract.Queue) *fixture {
	t.Helper()
	service, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	server := natstest.Start(t)
	p := &fixture{t: t, server: server, js: server.JetStream(), service: service, stream: subjects.LaneStream(service)}
	if _, err := deadletter.Open(t.Context(), deadletter.Config{JS: p.js}); err != nil {
		t.Fatal(err)
	}
	if _, err := hubstream.Ensure(t.Context(), p.js, lane.StreamConfig(service, 1, false)); err != nil {
		t.Fatal(err)
	}
	queue.AckWait = contract.Duration(30 * time.Second)
	if err := lane.EnsureConsumers(t.Context(), p.js, service, lane.State{Queue: queue}, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *fixture) open(change ...func(*deadletter.Config)) *deadletter.Queue {
	p.t.Helper()
	cfg := deadletter.Config{JS: p.js, AuditEvery: 20 * time.Millisecond, Logger: quiet(p.t)}
	for _, c := range change {
		c(&cfg)
	}
	o, err := deadletter.Open(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

// run runs a queue until the returned function is called.
func (p *fixture) run(o *deadletter.Queue) (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("queue: %v", err)
		}
	}
	p.t.Cleanup(stop)
	return stop
}

// copies puts n copies into the lane, with ingest sequences from 1 on.
func (p *fixture) copies(n int) {
	p.t.Helper()
	for i := range n {
		m := p.copyMsg("abc", []byte(`{"id":"`+strconv.Itoa(i+1)+`"}`))
		m.Header.Set(contract.HeaderPosition, "1-"+strconv.Itoa(i+1))
		m.Header.Set(contract.HeaderKey, strconv.Itoa(i+1))
		ack, err := p.js.PublishMsg(p.t.Context(), m)
		if err != nil {
			p.t.Fatal(err)
		}
		if ack.Stream != p.stream {
			p.t.Fatalf("copy went to %s", ack.Stream)
		}
	}
}

// copyMsg is a copy with one header of the publisher's.
func (p *fixture) copyMsg(header string, data []byte) *nats.Msg {
	m := nats.NewMsg("sub.sharing.user.update.0")
	m.Data = data
	m.Header.Set(contract.HeaderPosition, "1-1")
	m.Header.Set(contract.HeaderKey, "1")
	m.Header.Set("X-Trace", header)
	return m
}

// errHeld is what a worker returns that keeps its delivery.
var errHeld = errors.New("the worker keeps it")

// work pulls from a consumer until every copy is acknowledged or given up, except those
// that a worker keeps, and has handle decide each delivery.
func (p *fixture) work(consumer string, handle func(jetstream.Msg) error) {
	p.t.Helper()
	c, err := p.js.Consumer(p.t.Context(), p.stream, consumer)
	if err != nil {
		p.t.Fatal(err)
	}
	var opts []jetstream.PullMessagesOpt
	if c.CachedInfo().Config.PriorityPolicy == jetstream.PriorityPolicyPinned { // an earlier worker has gone
		s, err := p.js.Stream(p.t.Context(), p.stream)
		if err != nil {
			p.t.Fatal(err)
		}
		if err := s.UnpinConsumer(p.t.Context(), consumer, contract.GroupWorkers); err != nil {
			p.t.Fatal(err)
		}
		opts = append(opts, jetstream.PullPriorityGroup(contract.GroupWorkers))
	}
	messages, err := c.Messages(opts...)
	if err != nil {
		p.t.Fatal(err)
	}
	var held atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := messages.Next()
			if err != nil {
				return // stopped
			}
			if err := handle(m); errors.Is(err, errHeld) {
				held.Add(1)
			} else if err != nil {
				p.t.Error(err)
			}
		}
	}()
	// The server may acknowledge a copy before it counts the copy as pending. It gives up a
	// delivery when a worker asks for the next one.
	last := p.last()
	p.eventually("the end of the work", func() error {
		if info := p.info(consumer); info.Delivered.Stream < last || info.NumAckPending > int(held.Load()) {
			return fmt.Errorf("%d of %d delivered, %d not acknowledged", info.Delivered.Stream, last, info.NumAckPending)
		}
		return nil
	})
	messages.Stop()
	<-done
}

// last is the sequence of the lane's last copy.
func (p *fixture) last() uint64 {
	p.t.Helper()
	s, err := p.js.Stream(p.t.Context(), p.stream)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

func (p *fixture) info(consumer string) *jetstream.ConsumerInfo {
	p.t.Helper()
	c, err := p.js.Consumer(p.t.Context(), p.stream, consumer)
	if err != nil {
		p.t.Fatal(err)
	}
	return c.CachedInfo()
}

// stored are the letters in the stream now.
func (p *fixture) stored() []*jetstream.RawStreamMsg {
	p.t.Helper()
	s, err := p.js.Stream(p.t.Context(), contract.StreamDLQ)
	if err != nil {
		p.t.Fatal(err)
	}
	var found []*jetstream.RawStreamMsg
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
		if m, err := s.GetMsg(p.t.Context(), seq); err == nil {
			found = append(found, m)
		}
	}
	return found
}

// askHold asks a queue what it holds of the lane as its consumers are now.
func (p *fixture) askHold(o *deadletter.Queue) (uint64, error) {
	workers, err := lane.Workers(p.t.Context(), p.js, p.service)
	if err != nil {
		return 0, err
	}
	return o.Hold(p.t.Context(), p.service, workers)
}

// letters waits for n letters, and that the consumers know them all stored.
func (p *fixture) letters(n int, o *deadletter.Queue) []*jetstream.RawStreamMsg {
	p.t.Helper()
	var found []*jetstream.RawStreamMsg
	p.eventually(fmt.Sprintf("%d letters", n), func() error {
		if hold, err := p.askHold(o); err != nil || hold != ^uint64(0) {
			return fmt.Errorf("hold %d, %w", hold, err)
		}
		if found = p.stored(); len(found) < n {
			return fmt.Errorf("%d so far", len(found))
		}
		return nil
	})
	if len(found) > n {
		p.t.Fatalf("%d letters, want %d", len(found), n)
	}
	return found
}

func (p *fixture) hold(o *deadletter.Queue) uint64 {
	p.t.Helper()
	hold, err := p.askHold(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return hold
}

// loseAdvisories deletes the stream of advisories, so that none is stored.
func (p *fixture) loseAdvisories() {
	p.t.Helper()
	if err := p.js.DeleteStream(p.t.Context(), contract.StreamAdvisories); err != nil {
		p.t.Fatal(err)
	}
}

func (p *fixture) eventually(what string, check func() error) {
	p.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain for %s: %v", what, err)
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-timer.C:
		case <-p.t.Context().Done():
			p.t.Fatal(p.t.Context().Err())
		}
	}
}

func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
