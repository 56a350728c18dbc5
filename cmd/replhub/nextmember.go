package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// joinEvery is the time between words to the hub, as in the SDK.
const (
	joinEvery = 700 * time.Millisecond
	// joinTimeout bounds the wait for an answer.
	joinTimeout = time.Second
)

// membership is this command's place among the instances of a service whose queue
// keeps keys in order. Its goroutine tells the hub that the instance is alive; the
// methods may be called concurrently with it.
type membership struct {
	connection *connection
	service    subjects.Name
	instance   string

	mu         sync.Mutex // guards what follows
	assigned   []int
	inWork     map[int]bool // partitions with copies taken and not settled
	generation uint64
	until      time.Time // the end of the lease
	partitions int
	members    int
	fault      error // why the instance cannot go on
	news       chan struct{}

	stop func()
}

// join takes a place among the instances. It fails where no hub answers: none
// could say whose the partitions are.
func join(ctx context.Context, l *connection, service subjects.Name) (*membership, error) {
	m := &membership{connection: l, service: service, instance: "next-" + nuid.New().Next(), inWork: make(map[int]bool), news: make(chan struct{}, 1)}
	if err := m.tell(ctx, false); err != nil {
		return nil, err
	}
	// An answer that is lost must not cost the lease.
	m.connection = &connection{nc: l.nc, domain: l.domain, server: l.server, timeout: joinTimeout}
	// The lease is kept until leave, also while an interrupted command ends.
	living, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.live(living)
	}()
	m.stop = func() {
		cancel()
		<-done
	}
	return m, nil
}

// live tells the hub about once a second that the instance is alive, and at once when
// a partition was given up.
func (m *membership) live(ctx context.Context) {
	again := time.NewTicker(joinEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-m.news:
		}
		if err := m.tell(ctx, false); err != nil && ctx.Err() == nil {
			m.fail(err)
		}
	}
}

// tell sends one request and takes in the answer.
func (m *membership) tell(ctx context.Context, leaving bool) error {
	req := contract.Join{Instance: m.instance, Holding: m.holding(), Leaving: leaving}
	m.mu.Lock()
	req.Generation = m.generation
	m.mu.Unlock()
	sent := time.Now()
	var reply contract.Joined
	if _, err := m.connection.ask(ctx, contract.VerbJoin, m.service.String(), req, &reply); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation, m.members, m.fault = reply.Generation, reply.Members, nil
	if m.partitions != 0 && reply.Partitions != m.partitions {
		m.fault = fmt.Errorf("the partitions of %s have changed; run the command again", m.service)
	}
	m.partitions = reply.Partitions
	given := slices.ContainsFunc(m.assigned, func(p int) bool { return !slices.Contains(reply.Assigned, p) })
	m.assigned = reply.Assigned
	m.until = sent.Add(time.Duration(reply.TTL))
	if given {
		m.poke() // the hub waits for the word that it was given up
	}
	return nil
}

// fail keeps a fault. A refusal ends the membership at once; without an answer
// it ends with the lease.
func (m *membership) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, no := errors.AsType[*refused](err); no {
		m.until = time.Time{}
	}
	m.fault = err
}

// poke makes live tell the hub at once; m.mu is held.
func (m *membership) poke() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// holding are the partitions that this instance may be at work on, those
// included that it has to give up and is not through with.
func (m *membership) holding() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := slices.Clone(m.assigned)
	for p := range m.inWork {
		if !slices.Contains(held, p) {
			held = append(held, p)
		}
	}
	slices.Sort(held)
	return held
}

// share are the partitions that may be worked on now. Its error says why the
// instance cannot go on.
func (m *membership) share() ([]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Now().Before(m.until) {
		return slices.Clone(m.assigned), nil
	}
	if m.fault != nil {
		return nil, m.fault
	}
	return nil, nil // a late answer, or a process that stood still: ask again
}

// begin marks a partition as worked on, and reports whether it is this
// instance's.
func (m *membership) begin(partition int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ours(partition) {
		return false
	}
	m.inWork[partition] = true
	return true
}

// mine reports whether a partition is still this instance's.
func (m *membership) mine(partition int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ours(partition)
}

func (m *membership) ours(partition int) bool {
	return time.Now().Before(m.until) && slices.Contains(m.assigned, partition)
}

// finish notes that no copy of a partition is in work any more.
func (m *membership) finish(partition int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.inWork, partition)
	if !slices.Contains(m.assigned, partition) {
		m.poke()
	}
}

// leave gives every partition back. No copy may be in work any more.
func (m *membership) leave() error {
	m.stop()
	m.mu.Lock()
	m.assigned, m.inWork = nil, nil
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), m.connection.timeout)
	defer cancel()
	if err := m.tell(ctx, true); err != nil {
		return fmt.Errorf("leave the instances of %s: %w; they get its partitions in %s", m.service, err, 3*time.Second)
	}
	return nil
}

// alone says why no partition came.
func (m *membership) alone() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("no partition came free: %s beside this one, %s", plural(max(m.members-1, 0), "instance"), plural(m.partitions, "partition"))
}
