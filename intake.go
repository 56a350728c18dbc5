package replhub

import (
	"context"
	"fmt"
	"strconv"

	"github.com/replhub/replhub/internal/contract"
)

// newSource makes a source of a plan's consumer, to be opened; the desk's mutex
// is held. ctx is the handlers'.
func (s *Subscriber) newSource(ctx context.Context, p plan, partition int) *source {
	src := &source{
		s: s, desk: s.desk, consumer: contract.ConsumerWorkers, partition: partition, ordered: p.ordered, ackWait: p.ackWait,
		born: strconv.FormatInt(p.born.UnixMilli(), 36), inbox: s.client.nc.NewInbox(),
		window: s.cfg.leastWindow(), ceiling: s.cfg.window(s.shares), session: session{news: make(chan struct{}, 1)}, heard: s.desk.seconds, tookAt: s.desk.seconds,
	}
	if p.ordered {
		src.consumer += "-" + strconv.Itoa(partition)
	}
	src.ctx, src.cancel = context.WithCancel(ctx)
	s.desk.sources[src] = true
	return src
}

// open has a source begin.
func (s *Subscriber) open(src *source) {
	sub, err := s.client.nc.Subscribe(src.inbox, src.take)
	if err != nil {
		s.cancel(fmt.Errorf("subscribe: %w", closedError(err)))
		return
	}
	// What is under way is bounded by what was asked for.
	_ = sub.SetPendingLimits(-1, -1)
	d := s.desk
	d.mu.Lock()
	src.sub = sub
	if src.ordered {
		src.session.begin(src)
	}
	ask := src.credit()
	d.mu.Unlock()
	src.ask(ask)
}

// doubt drops what has not begun and begins anew, on an inbox of its own: what
// was sent to the old one says nothing of whose the partition is now.
func (s *source) doubt() {
	s.session.dropped = s.drop()
	s.session.confirmed, s.session.proving = false, false
	s.session.last, s.asked = 0, 0
	s.forgotten() // what still runs here may be settled elsewhere by now
	s.inbox = s.s.client.nc.NewInbox()
	sub, err := s.s.client.nc.Subscribe(s.inbox, s.take)
	if err != nil {
		s.s.cancel(fmt.Errorf("subscribe: %w", closedError(err)))
		return
	}
	_ = sub.SetPendingLimits(-1, -1)
	if s.sub != nil {
		_ = s.sub.Unsubscribe()
	}
	s.sub = sub
	s.session.begin(s)
}

// close ends a source's intake and returns the replies of what it gives back.
func (s *source) close() []string {
	s.closed = true
	again := s.drop()
	if s.running > 0 {
		s.quiet = make(chan struct{})
	} else {
		delete(s.desk.sources, s)
	}
	s.session.poke()
	if s.sub != nil {
		// What is on its way is taken and given back: the server sends nothing
		// more once it knows, so nothing comes twice.
		_ = s.sub.Drain()
	}
	return again
}
