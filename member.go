package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// joinEvery is the time between words to the hub, give or take a fifth.
	joinEvery = 700 * time.Millisecond
	// joinTimeout bounds the wait for an answer; the next request follows at once.
	joinTimeout = time.Second
)

// member keeps this instance's share of the partitions: it tells the hub that
// it is alive and what it holds, takes up what it is given, and gives up what
// it is not.
type member struct {
	s          *Subscriber
	plan       plan
	ctx        context.Context //nolint:containedctx // of the handlers, for the sources to come
	generation uint64
	held       map[int]*source
	// freed has a token when a partition was given up for good.
	freed chan struct{}
	told  bool // that there is no hub
}

// run ends with ctx, or with an error that says why it cannot go on.
func (m *member) run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := m.round(ctx)
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.freed:
		}
		timer.Stop()
	}
	return nil
}

// round speaks to the hub once, and says how long until the next time.
func (m *member) round(ctx context.Context) (time.Duration, error) {
	m.checkLease()
	soon := joinEvery*4/5 + rand.N(joinEvery*2/5)
	sent := time.Now()
	reply, err := m.join(ctx, false)
	refusal, refused := errors.AsType[*Refused](err)
	switch {
	case ctx.Err() != nil:
		return 0, nil
	case refused && refusal.Code == CodeDetached:
		return 0, fmt.Errorf("%w: %s", ErrDetached, refusal.Message)
	case refused && refusal.Code == CodeNotFound:
		return 0, fmt.Errorf("%w: %s", ErrUnregistered, refusal.Message)
	case err != nil:
		m.withoutHub(sent, err)
		return min(soon, max(soon-time.Since(sent), 0)), nil
	case reply.Partitions == 0, m.plan.partitions != 0 && m.plan.partitions != reply.Partitions:
		return 0, errReplan
	}
	if m.told {
		m.s.client.log.Info("a hub answers again", "service", m.s.client.Service())
		m.told = false
	}
	m.plan.partitions = reply.Partitions
	m.answered(sent, reply)
	if m.adopt(reply) {
		return 0, nil // say at once what was given up
	}
	return soon, nil
}

// join sends one request.
func (m *member) join(ctx context.Context, leaving bool) (contract.Joined, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	req := contract.Join{Instance: m.s.cfg.Instance, Holding: m.holding(), Leaving: leaving, Generation: m.generation}
	body, err := json.Marshal(req)
	if err != nil {
		return contract.Joined{}, err
	}
	if !m.s.client.nc.IsConnected() {
		return contract.Joined{}, nats.ErrDisconnected
	}
	answer, err := m.s.client.nc.RequestWithContext(ctx, subjects.Control(contract.VerbJoin, m.s.client.service), body)
	if err != nil {
		return contract.Joined{}, err
	}
	data, err := readReply(answer)
	if err != nil {
		return contract.Joined{}, err
	}
	var reply contract.Joined
	err = json.Unmarshal(data, &reply)
	return reply, err
}

// holding are the partitions that this instance is at work on, those included
// that it is giving up.
func (m *member) holding() []int {
	list := make([]int, 0, len(m.held))
	d := m.s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, src := range m.held {
		if src.closed && src.running == 0 {
			delete(m.held, p)
			continue
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// answered renews the lease from when the request was sent.
func (m *member) answered(sent time.Time, reply contract.Joined) {
	d := m.s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lease.ttl = time.Duration(reply.TTL)
	d.lease.renew(sent)
	d.wake.Broadcast()
}

// adopt takes up and gives up partitions as the hub says, and reports whether
// one was given up at once.
func (m *member) adopt(reply contract.Joined) (freed bool) {
	m.generation = reply.Generation
	s, d := m.s, m.s.desk
	var opened []*source
	var again []string
	d.mu.Lock()
	s.shares = len(reply.Assigned)
	for p, src := range m.held {
		if !slices.Contains(reply.Assigned, p) && !src.closed {
			again = append(again, src.close()...)
			freed = freed || src.running == 0
			s.freeLater(src, m.freed)
		}
	}
	for _, p := range reply.Assigned {
		src := m.held[p]
		if src == nil {
			src = s.newSource(m.ctx, m.plan, p)
			m.held[p] = src
			opened = append(opened, src)
		}
		src.ceiling = s.cfg.window(s.shares)
		if !src.session.confirmed {
			src.session.confirmed, src.session.proving = true, false
			src.session.poke()
		}
	}
	d.mu.Unlock()
	for _, reply := range again {
		s.respond(reply, ackAgain)
	}
	for _, src := range opened {
		s.open(src)
	}
	return freed
}

// withoutHub keeps what is held while no hub answers. One that cannot reach
// NATS may be missed by a hub that can, so its lease runs out.
func (m *member) withoutHub(sent time.Time, err error) {
	if !m.told {
		m.s.client.log.Warn("no hub answers; the partitions stay as they are", "service", m.s.client.Service(), "err", err)
		m.told = true
	}
	if !m.s.client.nc.IsConnected() {
		return
	}
	d := m.s.desk
	asks := make(map[*source]pull)
	var again []string
	defer func() {
		for _, reply := range again {
			m.s.respond(reply, ackAgain)
		}
		for src, ask := range asks {
			src.ask(ask)
		}
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lease.over(time.Now()) {
		return // found out at the next round
	}
	d.lease.renew(sent)
	for _, src := range m.held {
		if src.session.confirmed || src.closed || src.session.proving || src.session.pin == "" {
			continue
		}
		// Nobody but the server can tell whose the partition is now, and it says
		// so with a message: those that were ours will do.
		src.session.proving = true
		again = append(again, src.session.dropped...)
		asks[src] = src.credit()
	}
}

// checkLease lets go of everything that has not begun when the time is over:
// others may have it. What a hub, or the pin, confirms is collected again.
func (m *member) checkLease() {
	d := m.s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(m.held) == 0 || !d.lease.over(time.Now()) {
		return
	}
	m.s.client.log.Warn("this instance stood still, or was cut off; what it had taken and not begun is dropped",
		"service", m.s.client.Service(), "silent_for", time.Since(d.lease.from).Round(time.Millisecond).String())
	for _, src := range m.held {
		if !src.closed {
			src.doubt()
		}
	}
	d.lease.renew(time.Now())
	d.wake.Broadcast()
}

// freeLater tells the member when the last handler of a partition is through,
// and has those cut short that take longer than a drain may.
func (s *Subscriber) freeLater(src *source, freed chan<- struct{}) {
	quiet := src.quiet
	if quiet == nil {
		src.cancel()
		return
	}
	s.wg.Go(func() {
		defer src.cancel()
		timer := time.NewTimer(s.cfg.DrainTimeout)
		defer timer.Stop()
		select {
		case <-quiet:
		case <-src.ctx.Done():
		case <-timer.C:
			src.cancel()
			select {
			case <-quiet:
			case <-s.ended:
			}
		}
		select {
		case freed <- struct{}{}:
		default:
		}
	})
}
