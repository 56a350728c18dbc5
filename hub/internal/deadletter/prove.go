package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// A full lane cannot wait for the audit: where workers hand deliveries back all the time,
// a consumer has redelivered messages at every look, and the acknowledged copies behind
// them would stay for InspectEvery. A full lane is inspected at once, but inspections take
// at most a twentieth of the time.
const (
	minProveEvery = 250 * time.Millisecond
	proveShare    = 20
)

// prover looks into full lanes.
type prover struct {
	audit *audit

	mu    sync.Mutex                  // guards after
	after map[subjects.Name]time.Time // when a full lane may be looked into again
}

// Prove examines the acknowledged copies that Hold keeps in a full lane, as often as
// it may, and returns a description of why some are still kept; empty when none are.
// floors are the consumers' floors, by name.
func (p *prover) Prove(ctx context.Context, service subjects.Name, floors map[string]uint64) (why string, err error) {
	suspects, err := p.holding(ctx, service, floors)
	if err != nil || len(suspects) == 0 {
		return "", err
	}
	if p.mayProve(service) {
		began := time.Now()
		err := p.audit.clear(ctx, service, suspects)
		p.proved(service, time.Since(began))
		if err != nil {
			return err.Error(), nil
		}
		if suspects, err = p.holding(ctx, service, floors); err != nil || len(suspects) == 0 {
			return "", err
		}
	}
	info := suspects[0]
	return fmt.Sprintf("copies that %s has acknowledged stay until it is certain that none of its deliveries failed without a dead letter (%d are redelivered, %d pending)",
		info.Name, info.NumRedelivered, info.NumAckPending), nil
}

// holding returns the consumers of a lane for which Hold keeps acknowledged copies.
func (p *prover) holding(ctx context.Context, service subjects.Name, floors map[string]uint64) ([]*jetstream.ConsumerInfo, error) {
	workers, err := lane.Workers(ctx, p.audit.cfg.JS, service)
	if errors.Is(err, lane.ErrNoLane) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []*jetstream.ConsumerInfo
	for _, info := range workers {
		if w, clean := p.audit.watches.observe(service, info); !clean && w.clean < floors[info.Name] {
			found = append(found, info)
		}
	}
	return found, nil
}

func (p *prover) mayProve(service subjects.Name) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().After(p.after[service])
}

// proved notes how long a lane was looked into.
func (p *prover) proved(service subjects.Name, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after[service] = time.Now().Add(max(minProveEvery, proveShare*took))
}
