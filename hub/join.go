package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// joinTTL is how long a silent instance keeps its partitions.
	joinTTL = 3 * time.Second
	// joinTime bounds one request: instances ask again soon.
	joinTime = 2 * time.Second
	// membersPrefix precedes a service's name where its roster is kept.
	membersPrefix = "replhub._members."
)

// joins answers replhub.join. One hub, the lane's owner, keeps the members'
// times in its memory, by its own clock, so that an instance's word costs no
// write. What is stored is the roster, by compare-and-set, with the name of the
// hub that keeps it. A hub that finds another's name there takes over with a
// write, and gives every member its full time again. So a hub's write that
// takes a partition from a silent member succeeds only where no other hub has
// heard of that member for as long: hubs' clocks need not agree.
type joins struct {
	hub *Hub

	mu       sync.Mutex // guards services
	services map[subjects.Name]*attendance
}

// attendance is when the members of one service were heard.
type attendance struct {
	turn chan struct{} // a token: one request at a time
	seen map[string]time.Time
	last time.Time // of any
	// generation is that of the last roster; 0 before the first.
	generation uint64
}

func newJoins(h *Hub) *joins {
	return &joins{hub: h, services: make(map[subjects.Name]*attendance)}
}

func (j *joins) do(ctx context.Context, service subjects.Name, req contract.Join) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	if !idGrammar.MatchString(req.Instance) {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "instance", "%q is not 1 to 64 letters, digits, _ or -", clip(req.Instance))
	}
	state, err := j.laneState(ctx, service)
	if err != nil {
		return nil, err
	}
	if state.Detached != nil {
		return nil, contract.Errorf(contract.CodeDetached, "the lane is detached: %s; register again to start anew", state.Detached.Reason)
	}
	if state.Dropped {
		return nil, lane.ErrNoLane
	}
	partitions := lane.Partitions(state.Queue)
	for i, p := range req.Holding {
		if p < 0 || p >= lane.MaxPartitions {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("holding[%d]", i), "%d is not between 0 and %d", p, lane.MaxPartitions-1)
		}
	}
	reply := contract.Joined{Service: service.String(), Partitions: partitions, Assigned: []int{}, TTL: contract.Duration(joinTTL)}
	if partitions == 0 {
		return reply, nil
	}
	r, err := j.update(ctx, service, partitions, req)
	if err != nil {
		return nil, err
	}
	reply.Members, reply.Generation = len(r.Members), r.Generation
	if !req.Leaving {
		reply.Assigned = r.assigned(req.Instance)
	}
	return reply, nil
}

// laneState is the state of a service's lane, from memory where this hub copies
// into it.
func (j *joins) laneState(ctx context.Context, service subjects.Name) (lane.State, error) {
	if l := j.hub.lanes.get(service); l != nil && l.Owned() {
		if s := l.Status(); s.Last > 0 {
			return s.State, nil
		}
	}
	return j.hub.freshState(ctx, service)
}

// update takes a request into the stored roster.
func (j *joins) update(ctx context.Context, service subjects.Name, partitions int, req contract.Join) (*roster, error) {
	a := j.attendance(service)
	select {
	case <-a.turn:
		defer func() { a.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		r, revision, err := j.roster(ctx, service, partitions, a, req)
		if err != nil {
			return nil, err
		}
		if r.full(req) {
			return nil, contract.FieldErrorf(contract.CodeLimit, "instance", "%s has %d instances, which is the most; stop some", service, maxInstances)
		}
		if !a.hear(r, req, j.hub.cfg.ID, partitions, time.Now()) {
			a.generation = r.Generation
			return r, nil
		}
		data, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encode the roster of %s: %w", service, err)
		}
		if most := j.hub.replyRoom(); len(data) > most {
			return nil, contract.FieldErrorf(contract.CodeLimit, "instance",
				"with this instance the roster of %s has %d bytes, and may have %d: stop some, or raise the server's max_payload", service, len(data), most)
		}
		err = j.hub.rosters.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
			_, err := j.hub.js.Publish(ctx, membersPrefix+service.String(), data, jetstream.WithExpectLastSequencePerSubject(revision))
			return err
		})
		if hubstream.WrongSequence(err) {
			continue // another hub was first: decide anew on what it wrote
		}
		if err != nil {
			return nil, fmt.Errorf("write the roster of %s: %w", service, err)
		}
		a.generation = r.Generation
		return r, nil
	}
}

// hear takes a request into a roster, and reports whether that is to be stored.
func (a *attendance) hear(r *roster, req contract.Join, hub string, partitions int, now time.Time) bool {
	changed := r.resize(partitions)
	changed = r.recover(&req) || changed
	if r.By != hub {
		clear(a.seen)
		r.By, changed = hub, true
	}
	if now.Sub(a.last) > joinTTL/2 {
		clear(a.seen) // this hub may have stood still, or nobody has asked it
	}
	a.last = now
	for _, id := range r.present() {
		if _, known := a.seen[id]; !known {
			a.seen[id] = now
		}
	}
	a.seen[req.Instance] = now
	changed = r.expire(func(id string) bool { return now.Sub(a.seen[id]) > joinTTL }) || changed
	return r.take(req) || changed
}

// forget forgets who was heard of a service that is dropped.
func (j *joins) forget(service subjects.Name) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.services, service)
}

func (j *joins) attendance(service subjects.Name) *attendance {
	j.mu.Lock()
	defer j.mu.Unlock()
	a := j.services[service]
	if a == nil {
		a = &attendance{turn: make(chan struct{}, 1), seen: make(map[string]time.Time)}
		a.turn <- struct{}{}
		j.services[service] = a
	}
	return a
}

// readRoster reads a service's roster from the stream's leader, with the
// revision for a compare-and-set; an empty one and 0 when there is none.
func readRoster(ctx context.Context, rosters *hubstream.Kept, service subjects.Name) (*roster, uint64, error) {
	r := &roster{V: rosterForm}
	var msg *jetstream.RawStreamMsg
	err := rosters.Do(ctx, func(ctx context.Context, s jetstream.Stream) (err error) {
		msg, err = s.GetLastMsgForSubject(ctx, membersPrefix+service.String())
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return r, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the roster of %s: %w", service, err)
	}
	if err := json.Unmarshal(msg.Data, r); err != nil {
		return nil, 0, fmt.Errorf("decode the roster of %s: %w", service, err)
	}
	if r.V > rosterForm {
		return nil, 0, contract.Errorf(contract.CodeConflict, "the partitions of %s are kept by a newer replhub; upgrade this hub", service)
	}
	return r, msg.Sequence, nil
}
