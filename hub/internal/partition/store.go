package partition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// prefix precedes a service's name where its roster is kept.
const prefix = "replhub._members."

// Config is what Rosters need. Every field is required.
type Config struct {
	JS       jetstream.JetStream
	Replicas int
	// Hub is this hub's id.
	Hub string
	// Room is how many bytes a roster may have.
	Room func() int
	// Report is called when somebody deleted the stream.
	Report func(stream, text string)
	Logger *slog.Logger
}

// Rosters are the rosters of all services. One hub, the lane's owner, keeps the
// instances' times in its memory, by its own clock, so that a request costs no write.
// The roster is stored by compare-and-set, with the name of the hub that keeps it. A
// hub that finds another's name there takes over with a write, and gives every member
// its full time again. So a hub's write that takes a partition from a silent member
// succeeds only where no other hub has heard of that member for as long: hubs' clocks
// need not agree. It may be used concurrently.
type Rosters struct {
	cfg    Config
	stream *hubstream.Kept

	mu       sync.Mutex // guards services
	services map[subjects.Name]*service
}

// service is what this hub knows of one service's instances.
type service struct {
	name subjects.Name
	// token is held by one request at a time. It guards the rest.
	token    chan struct{}
	presence presence
	// generation is that of the last roster; 0 before the first.
	generation uint64
}

// New makes Rosters; Open comes before anything else.
func New(cfg Config) *Rosters {
	return &Rosters{cfg: cfg, services: make(map[subjects.Name]*service), stream: hubstream.NewKept(hubstream.KeptConfig{
		JS: cfg.JS, Report: cfg.Report, Logger: cfg.Logger,
		Loss: "which instance has which partitions is learnt again from the instances; a partition that no instance holds is free after " + TTL.String(),
		Stream: jetstream.StreamConfig{
			Name:              contract.StreamMembers,
			Description:       "replhub: which instance of a service has which partitions",
			Subjects:          []string{prefix + "*"},
			MaxMsgsPerSubject: 1,
			MaxMsgs:           -1,
			MaxBytes:          -1,
			Storage:           jetstream.FileStorage,
			Discard:           jetstream.DiscardOld,
			Replicas:          cfg.Replicas,
		},
	})}
}

// Open creates the stream of rosters. It comes before any lane is created: a lane
// that is older than the stream may have had a roster that was deleted.
func (s *Rosters) Open(ctx context.Context) error { return s.stream.Open(ctx) }

// Kept is the stream of rosters.
func (s *Rosters) Kept() *hubstream.Kept { return s.stream }

// Join applies an instance's request to the stored roster of a service with a number
// of partitions, and answers it. Refusals are *contract.Error.
func (s *Rosters) Join(ctx context.Context, name subjects.Name, partitions int, req contract.Join) (contract.Joined, error) {
	reply := contract.Joined{Service: name.String(), Partitions: partitions, Assigned: []int{}, TTL: contract.Duration(TTL)}
	if partitions == 0 {
		return reply, nil
	}
	r, err := s.update(ctx, name, partitions, req)
	if err != nil {
		return contract.Joined{}, err
	}
	reply.Members, reply.Generation = len(r.Members), r.Generation
	if !req.Leaving {
		reply.Assigned = r.assigned(req.Instance)
	}
	return reply, nil
}

func (s *Rosters) update(ctx context.Context, name subjects.Name, partitions int, req contract.Join) (*Roster, error) {
	of, release, err := s.acquire(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	for {
		r, revision, err := s.current(ctx, of, partitions, req)
		if err != nil {
			return nil, err
		}
		if r.full(req) {
			return nil, contract.FieldErrorf(contract.CodeLimit, "instance", "%s has %d instances, which is the limit; stop some", name, maxInstances)
		}
		if of.presence.hear(r, req, s.cfg.Hub, partitions, time.Now()) {
			err = s.write(ctx, name, r, revision)
		}
		if hubstream.WrongSequence(err) {
			continue // another hub was first: decide on its roster
		}
		if err != nil {
			return nil, err
		}
		of.generation = r.Generation
		return r, nil
	}
}

// Present returns a service's present roster, without the members that this hub knows
// to be silent. It does not store the roster; the next request does.
func (s *Rosters) Present(ctx context.Context, name subjects.Name) (*Roster, error) {
	of, release, err := s.acquire(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	r, _, err := s.read(ctx, name)
	if err != nil {
		return nil, err
	}
	of.presence.prune(r, s.cfg.Hub, time.Now())
	return r, nil
}

// Purge removes the roster of a service that is dropped.
func (s *Rosters) Purge(ctx context.Context, name subjects.Name) error {
	err := s.stream.Do(ctx, func(ctx context.Context, stream jetstream.Stream) error {
		return stream.Purge(ctx, jetstream.WithPurgeSubject(prefix+name.String()))
	})
	if err != nil {
		return fmt.Errorf("remove the roster of %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.services, name)
	return nil
}

// acquire waits until no other request of the service is under way in this hub.
func (s *Rosters) acquire(ctx context.Context, name subjects.Name) (of *service, release func(), err error) {
	s.mu.Lock()
	of = s.services[name]
	if of == nil {
		of = &service{name: name, token: make(chan struct{}, 1), presence: newPresence()}
		of.token <- struct{}{}
		s.services[name] = of
	}
	s.mu.Unlock()
	select {
	case <-of.token:
		return of, func() { of.token <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// current reads a service's roster, or begins one.
func (s *Rosters) current(ctx context.Context, of *service, partitions int, req contract.Join) (*Roster, uint64, error) {
	r, revision, err := s.read(ctx, of.name)
	if err != nil || revision > 0 {
		return r, revision, err
	}
	lost := of.generation > 0 || req.Generation > 0 || len(req.Holding) > 0
	if !lost {
		if lost, err = s.mayHaveHadRoster(ctx, of.name); err != nil {
			return nil, 0, err
		}
	}
	if lost {
		r.lose(partitions, of.generation)
	}
	return r, 0, nil
}

// mayHaveHadRoster reports whether a lane is older than the stream of rosters, so
// that its roster may have gone with the stream before.
func (s *Rosters) mayHaveHadRoster(ctx context.Context, name subjects.Name) (bool, error) {
	lane, err := s.cfg.JS.Stream(ctx, subjects.LaneStream(name))
	if err != nil {
		return false, fmt.Errorf("look up lane %s: %w", name, err)
	}
	rosters, err := s.stream.Look(ctx)
	if err != nil {
		return false, err
	}
	return rosters.CachedInfo().Created.After(lane.CachedInfo().Created), nil
}

// read reads a service's roster from the stream's leader, with the revision for a
// compare-and-set; an empty one and 0 when there is none.
func (s *Rosters) read(ctx context.Context, name subjects.Name) (*Roster, uint64, error) {
	r := &Roster{V: rosterForm}
	var msg *jetstream.RawStreamMsg
	err := s.stream.Do(ctx, func(ctx context.Context, stream jetstream.Stream) (err error) {
		msg, err = stream.GetLastMsgForSubject(ctx, prefix+name.String())
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return r, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the roster of %s: %w", name, err)
	}
	if err := json.Unmarshal(msg.Data, r); err != nil {
		return nil, 0, fmt.Errorf("decode the roster of %s: %w", name, err)
	}
	if r.V > rosterForm {
		return nil, 0, contract.Errorf(contract.CodeConflict, "the partitions of %s are managed by a newer replhub; upgrade this hub", name)
	}
	return r, msg.Sequence, nil
}

// write stores a roster if the stored one is still that of a revision.
func (s *Rosters) write(ctx context.Context, name subjects.Name, r *Roster, revision uint64) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the roster of %s: %w", name, err)
	}
	if most := s.cfg.Room(); len(data) > most {
		return contract.FieldErrorf(contract.CodeLimit, "instance",
			"with this instance the roster of %s has %d bytes, and may have %d: stop some, or raise the server's max_payload", name, len(data), most)
	}
	err = s.stream.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
		_, err := s.cfg.JS.Publish(ctx, prefix+name.String(), data, jetstream.WithExpectLastSequencePerSubject(revision))
		return err
	})
	if err != nil {
		return fmt.Errorf("write the roster of %s: %w", name, err)
	}
	return nil
}
