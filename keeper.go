package replhub

import (
	"context"
	"time"
)

// keep does what time asks for until done is closed: it revives jobs that wait,
// tells the server of those that are still at work, and sees to sources that
// have fallen silent.
func (s *Subscriber) keep(ctx context.Context, d *desk, p plan, done <-chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	working := time.NewTicker(max(p.ackWait/4, 10*time.Millisecond))
	defer working.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	back := s.client.reconnects.next()
	for {
		select {
		case <-done:
			return
		case <-due.C:
		case <-d.soonest:
		case <-working.C:
			s.stillWorking(d)
		case <-second.C:
			s.lookAround(ctx, d)
			s.makeRoom(ctx, d)
		case <-back:
			back = s.client.reconnects.next()
			s.reconnected(d)
		}
		d.mu.Lock()
		next := d.revive(time.Now())
		d.mu.Unlock()
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		due.Reset(max(wait, time.Millisecond))
	}
}

// stillWorking extends the time of what has been in flight for a quarter of the
// ack wait or longer.
func (s *Subscriber) stillWorking(d *desk) {
	var replies []string
	d.mu.Lock()
	d.tick++
	for src := range d.sources {
		for j := src.first; j != nil; j = j.later {
			if j.tick+1 < d.tick {
				j.tick = d.tick - 1
				replies = append(replies, j.msg.Reply)
			}
		}
	}
	d.mu.Unlock()
	for _, reply := range replies {
		s.respond(reply, ackWorking)
	}
}

// lookAround sees to silent sources, once a second.
func (s *Subscriber) lookAround(ctx context.Context, d *desk) {
	if s.client.nc.IsClosed() {
		s.cancel(ErrClosed)
		return
	}
	d.mu.Lock()
	d.seconds++
	if d.outage.told {
		s.state.Store(d.outage.state()) // with what came meanwhile
	}
	asks := make(map[*source]pull, len(d.sources))
	for src := range d.sources {
		if ask := src.watch(); ctx.Err() == nil {
			asks[src] = ask
		}
	}
	d.mu.Unlock()
	for src, ask := range asks {
		src.ask(ask)
	}
	s.tellHub(s.state.Load())
}

// reconnected begins sessions anew: what was under way is lost, requests as well
// as messages.
func (s *Subscriber) reconnected(d *desk) {
	asks := make(map[*source]pull, len(d.sources))
	d.mu.Lock()
	for src := range d.sources {
		src.asked = 0
		src.session.restart(src)
		asks[src] = src.credit()
	}
	d.mu.Unlock()
	for src, ask := range asks {
		src.ask(ask)
	}
}
