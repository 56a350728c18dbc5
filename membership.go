package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
	"github.com/replhub/replhub/subjects"
)

const (
	// joinEvery is the time between requests to the hub, varied by up to a fifth.
	joinEvery = 700 * time.Millisecond
	// joinTimeout bounds the wait for an answer; the next request follows at once.
	joinTimeout = time.Second
)

// membership keeps this instance's share of the partitions: it tells the hub that
// the instance is alive and what it holds, and the scheduler what the hub answers.
type membership struct {
	s          *Subscriber
	d          *driver
	partitions int // 0 until the hub reports it
	generation uint64
	told       bool // that no hub answers was logged
}

// run ends with ctx, or with an error that says why it cannot go on.
func (m *membership) run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := m.round(ctx)
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-m.d.freed:
		}
		timer.Stop()
	}
	return nil
}

// round sends one request to the hub and returns the time until the next one.
func (m *membership) round(ctx context.Context) (time.Duration, error) {
	m.d.step(func(now time.Time) { m.d.core.CheckLease(now) })
	soon := joinEvery*4/5 + rand.N(joinEvery*2/5)
	sent := m.d.time()
	reply, err := m.join(ctx, false)
	refusal, refused := errors.AsType[*RefusedError](err)
	switch {
	case ctx.Err() != nil:
		return 0, nil
	case refused && refusal.Code == CodeDetached:
		return 0, fmt.Errorf("%w: %s", ErrDetached, refusal.Message)
	case refused && refusal.Code == CodeNotFound:
		return 0, fmt.Errorf("%w: %s", ErrUnregistered, refusal.Message)
	case err != nil:
		m.unanswered(ctx, sent, err)
		return min(soon, max(soon-m.d.time().Sub(sent), 0)), nil
	case reply.Partitions == 0, m.partitions != 0 && m.partitions != reply.Partitions:
		return 0, errReplan
	}
	if m.told {
		m.s.client.log.Info("a hub answers again", "service", m.s.client.Service())
		m.told = false
	}
	m.partitions = reply.Partitions
	m.generation = reply.Generation
	freed := false
	m.d.step(func(now time.Time) { freed = m.d.core.Assigned(now, sent, time.Duration(reply.TTL), reply.Assigned) })
	if freed {
		return 0, nil // report at once what was given up
	}
	return soon, nil
}

// join sends one request.
func (m *membership) join(ctx context.Context, leaving bool) (contract.Joined, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	req := contract.Join{Instance: m.s.cfg.Instance, Holding: m.d.held(), Leaving: leaving, Generation: m.generation}
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

// unanswered notes that a request got no answer. The held partitions are kept while no
// hub runs. The lease runs out if a hub may have taken the request, or if this instance
// cannot reach the lane: hubs that can may give the partitions to another instance.
func (m *membership) unanswered(ctx context.Context, sent time.Time, err error) {
	why := queue.NoAnswer
	if errors.Is(err, nats.ErrNoResponders) && m.reachesLane(ctx) {
		why = queue.NoHub
	}
	if !m.told {
		log := m.s.client.log.With("service", m.s.client.Service(), "err", err)
		if why == queue.NoHub {
			log.Warn("no hub runs; the partitions stay as they are")
		} else {
			log.Warn("no hub answers this instance, which begins no event once its lease is over")
		}
		m.told = true
	}
	m.d.step(func(now time.Time) { m.d.core.Unanswered(now, sent, why) })
}

// reachesLane reports whether the server that has the lane answers. If it does not, this
// instance may be cut off together with some of the servers, for instance with a leaf
// node, and hubs may run at the others.
func (m *membership) reachesLane(ctx context.Context) bool {
	held := m.d.held()
	if len(held) == 0 {
		return false // there is nothing to keep
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	_, err := m.s.info(ctx, contract.ConsumerWorkers+"-"+strconv.Itoa(held[0]))
	return err == nil
}
