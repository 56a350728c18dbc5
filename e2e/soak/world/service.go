package world

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/replhub/replhub/e2e/soak/tally"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// drainTime bounds the wait for what is due before a lane is dropped.
	drainTime = 60 * time.Second
	// reach is how many events a rewind or a fill goes back at most.
	reach = 2000
)

// interest is one that is registered.
type interest struct {
	registration *tally.Registration
	definition   definition
}

// service is one service: its lane, its workers and its account. Its operations
// belong to one goroutine.
type service struct {
	control

	name     string
	ordered  bool
	maxBytes int64
	// onlyNew has interests that are registered again begin with new events:
	// where copies do not tell their lane sequence, they could not be told from
	// copies of the registration before.
	onlyNew bool

	events    *tally.Events
	account   *tally.Service
	story     *tally.Story
	crew      *crew
	counts    *counts
	rand      *rand.Rand
	interests map[int]*interest
	// former are the entities that this lane had an interest in before.
	former map[int]bool
	gone   bool // dropped, and not registered again
	broken bool // a request ended otherwise than it should
	away   bool // its workers are kept away on purpose
}

func (s *service) stream() string { return "SUB_" + s.name }

// registered are the entities that are registered, in order.
func (s *service) registered() []int { return slices.Sorted(maps.Keys(s.interests)) }

// begin registers the service for the first time, or again after a drop.
func (s *service) begin(start string) error {
	for n, entity := range s.rand.Perm(tally.Entities)[:1+s.rand.IntN(2)] {
		if err := s.register(entity, start, n == 0); err != nil {
			return err
		}
	}
	return nil
}

// register puts an interest in force that is not registered. The first one of a
// lane states its queue.
func (s *service) register(entity int, start string, newLane bool) error {
	var lane, seq uint64
	if s.former[entity] {
		var err error
		if lane, err = s.lastSeq(s.stream()); err != nil {
			return err
		}
		if seq, err = s.lastSeq(contract.StreamIngest); err != nil {
			return err
		}
	}
	d := choose(s.rand)
	r := s.account.Begin(entity, d.mask, lane, seq)
	request := contract.Register{Interests: []contract.Interest{{Entity: tally.EntityName(entity), Definition: contract.Definition{Filter: d.filter}, Start: contract.Start(start)}}}
	if newLane {
		request.MaxBytes = s.maxBytes
		request.Queue = &contract.Queue{AckWait: contract.Duration(ackWait), MaxDeliver: maxDeliver}
		if s.ordered {
			request.Queue.Order, request.Queue.Partitions = "key", partitions
		}
	}
	var reply contract.Registered
	_, err := s.insist(contract.VerbRegister, s.name, request, &reply)
	if err != nil {
		s.account.Refused(r)
		if refused(err, contract.CodeTooOld) {
			s.counts.add("refused")
			return s.register(entity, "new", newLane)
		}
		return fmt.Errorf("register %s %+v: %w", s.name, request, err)
	}
	since := reply.Since[tally.EntityName(entity)]
	s.account.Began(r, since)
	s.interests[entity] = &interest{registration: r, definition: d}
	s.tell("register", "%s %q start %s since %d lane %d", tally.EntityName(entity), d.filter, start, since, lane)
	return nil
}

// position is the event up to which the lane has dealt with everything that an
// interest wants; 0 when older events are still being copied. The reply to a
// registration that changes nothing is read from the lane.
func (s *service) position(entity int) (uint64, error) {
	var status contract.LaneStatus
	if _, err := s.insist(contract.VerbDescribe, s.name, struct{}{}, &status); err != nil {
		return 0, fmt.Errorf("describe %s: %w", s.name, err)
	}
	name := tally.EntityName(entity)
	for _, in := range status.Interests {
		if in.Entity == name && in.Filling {
			return 0, nil
		}
	}
	var reply contract.Registered
	if _, err := s.insist(contract.VerbRegister, s.name, contract.Register{Entities: []string{name}}, &reply); err != nil {
		return 0, fmt.Errorf("register %s as it is: %w", s.name, err)
	}
	return reply.Seq - 1, nil
}

// change registers another filter.
func (s *service) change(entity int) error {
	in := s.interests[entity]
	position, err := s.position(entity)
	if err != nil {
		return err
	}
	from := position + 1
	if position == 0 {
		from = s.account.Since(in.registration)
	}
	d := choose(s.rand)
	s.account.Changing(in.registration, from)
	var reply contract.Registered
	request := contract.Register{Interests: []contract.Interest{{Entity: tally.EntityName(entity), Definition: contract.Definition{Filter: d.filter}}}}
	clean, err := s.insist(contract.VerbRegister, s.name, request, &reply)
	if err != nil {
		return fmt.Errorf("register %s %+v: %w", s.name, request, err)
	}
	if clean && position > 0 {
		from = reply.Seq
	}
	s.account.Changed(in.registration, d.mask, from, reply.Seq)
	in.definition = d
	s.tell("change", "%s to %q from %d, surely from %d", tally.EntityName(entity), d.filter, from, reply.Seq)
	return nil
}

// unregister ends an interest.
func (s *service) unregister(entity int) error {
	in := s.interests[entity]
	position, err := s.position(entity)
	if err != nil {
		return err
	}
	s.account.End(in.registration, position)
	var reply contract.Unregistered
	if _, err := s.insist(contract.VerbUnregister, s.name, contract.Unregister{Entities: []string{tally.EntityName(entity)}}, &reply); err != nil {
		return fmt.Errorf("unregister %s %d: %w", s.name, entity, err)
	}
	lane, err := s.lastSeq(s.stream())
	if err != nil {
		return err
	}
	s.account.Ended(in.registration, lane)
	delete(s.interests, entity)
	s.former[entity] = true
	s.tell("unregister", "%s after %d lane %d", tally.EntityName(entity), position, lane)
	return nil
}

// drop ends the lane once everything due has come, and begins another.
func (s *service) drop(ctx context.Context) error {
	if err := s.resume(); err != nil {
		return err
	}
	for _, entity := range s.registered() {
		if err := s.unregister(entity); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(drainTime); s.account.Complete() > 0; {
		if time.Now().After(deadline) {
			s.tell("drop", "after %s with %d events missing", drainTime, s.account.Totals().Overdue)
			break
		}
		pause(context.Background(), 2*retryEvery)
	}
	s.crew.stop()
	var reply contract.Dropped
	if _, err := s.insist(contract.VerbDrop, s.name, struct{}{}, &reply); err != nil && !refused(err, contract.CodeNotFound) {
		return fmt.Errorf("drop %s: %w", s.name, err)
	}
	s.account.Forget()
	clear(s.former)
	s.tell("drop", "")
	if s.gone = ctx.Err() != nil; s.gone {
		return nil
	}
	if err := s.begin(s.start()); err != nil {
		return err
	}
	s.crew.start()
	return nil
}

// start is where a registration begins.
func (s *service) start() string {
	switch s.rand.IntN(3) {
	case 0:
		return "all"
	case 1:
		last := s.events.Last()
		return strconv.FormatUint(max(1, last-min(last, uint64(s.rand.IntN(reach)))), 10)
	default:
		return "new"
	}
}

// rewind has the workers start again from a little before.
func (s *service) rewind() error {
	entities := s.registered()
	if len(entities) == 0 {
		return nil
	}
	highest := s.account.Highest(s.interests[entities[s.rand.IntN(len(entities))]].registration)
	to := strconv.FormatUint(max(1, highest-min(highest, uint64(s.rand.IntN(reach)))), 10)
	if s.rand.IntN(2) == 0 {
		to = time.Now().Add(-time.Duration(s.rand.IntN(2000)) * time.Millisecond).UTC().Format(time.RFC3339Nano)
	}
	var reply contract.Rewound
	_, err := s.insist(contract.VerbRewind, s.name, contract.Rewind{To: contract.Start(to)}, &reply)
	switch {
	case refused(err, contract.CodeTooOld), refused(err, contract.CodeInvalidValue): // before what is held, or forwards
		s.counts.add("refused")
		return nil
	case err != nil:
		return fmt.Errorf("rewind %s to %s: %w", s.name, to, err)
	}
	s.tell("rewind", "to %s: from %d, %d copies", to, reply.Seq, reply.Redelivered)
	return nil
}

// halt pauses the workers for a while.
func (s *service) halt() error {
	var reply contract.Paused
	d := time.Duration(1000+s.rand.IntN(4000)) * time.Millisecond
	if _, err := s.insist(contract.VerbPause, s.name, contract.Pause{For: contract.Duration(d)}, &reply); err != nil {
		return fmt.Errorf("pause %s: %w", s.name, err)
	}
	s.tell("pause", "for %s", d)
	return nil
}

func (s *service) resume() error {
	var reply contract.Paused
	if _, err := s.insist(contract.VerbResume, s.name, struct{}{}, &reply); err != nil {
		return fmt.Errorf("resume %s: %w", s.name, err)
	}
	s.tell("resume", "")
	return nil
}

func (s *service) tell(what, format string, args ...any) {
	s.counts.add(what)
	s.story.Tell(s.name, what+" "+format, args...)
}
