package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// A full lane cannot wait for the audit: where workers hand something back all the
// time, a consumer has redelivered messages at every look, and what is acknowledged
// behind them would stay for InspectEvery. It is inspected at once, but no more
// often than takes a twentieth of the time.
const (
	minProveEvery = 250 * time.Millisecond
	proveShare    = 20
)

// Prove examines the acknowledged copies that Hold keeps in a full lane, as often as
// it may, and returns a description of why some are still kept; empty when none are.
// floors are the consumers' floors, by name.
func (q *Queue) Prove(ctx context.Context, service subjects.Name, floors map[string]uint64) (why string, err error) {
	suspects, err := q.holding(ctx, service, floors)
	if err != nil || len(suspects) == 0 {
		return "", err
	}
	if q.mayProve(service) {
		began := time.Now()
		err := q.clear(ctx, service, suspects)
		q.proved(service, time.Since(began))
		if err != nil {
			return err.Error(), nil
		}
		if suspects, err = q.holding(ctx, service, floors); err != nil || len(suspects) == 0 {
			return "", err
		}
	}
	info := suspects[0]
	return fmt.Sprintf("copies that %s has acknowledged stay until it is certain that none of its deliveries failed without a dead letter (%d are redelivered, %d pending)",
		info.Name, info.NumRedelivered, info.NumAckPending), nil
}

// holding returns the consumers of a lane for which Hold keeps acknowledged copies.
func (q *Queue) holding(ctx context.Context, service subjects.Name, floors map[string]uint64) ([]*jetstream.ConsumerInfo, error) {
	workers, err := lane.Workers(ctx, q.cfg.JS, service)
	if errors.Is(err, lane.ErrNoLane) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []*jetstream.ConsumerInfo
	for _, info := range workers {
		if w, clean := q.observe(service, info); !clean && w.clean < floors[info.Name] {
			found = append(found, info)
		}
	}
	return found, nil
}

// clear finds out which deliveries of consumers are exhausted and stores their
// letters.
func (q *Queue) clear(ctx context.Context, service subjects.Name, suspects []*jetstream.ConsumerInfo) error {
	states, err := q.inspect(ctx, subjects.LaneStream(service))
	if err != nil {
		return err
	}
	for _, info := range suspects {
		if err := q.settleAll(ctx, service, info, states[info.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) mayProve(service subjects.Name) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().After(q.proveAfter[service])
}

// proved notes how long a lane was looked into.
func (q *Queue) proved(service subjects.Name, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.proveAfter[service] = time.Now().Add(max(minProveEvery, proveShare*took))
}
