package replhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
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
		m.withoutHub(sent, err)
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

// withoutHub keeps the held partitions while no hub runs, which only "no responders"
// shows. After any other error, such as a timeout or a refusal, the lease runs out: a hub
// may run that did not count the request, and give the partitions to another instance.
func (m *membership) withoutHub(sent time.Time, err error) {
	if !m.told {
		m.s.client.log.Warn("no hub takes the requests of this instance", "service", m.s.client.Service(), "err", err)
		m.told = true
	}
	if none := errors.Is(err, nats.ErrNoResponders) || errors.Is(err, ErrNoHub); none && m.s.client.nc.IsConnected() {
		m.d.step(func(now time.Time) { m.d.core.NoHub(now, sent) })
	}
}
