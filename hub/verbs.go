package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

func (h *Hub) doRegister(ctx context.Context, service subjects.Name, req contract.Register) (any, error) {
	checked, err := parseRegister(req, h.known(service))
	if err != nil {
		return nil, err
	}
	return h.register(ctx, service, checked)
}

func (h *Hub) doUnregister(ctx context.Context, service subjects.Name, req contract.Unregister) (any, error) {
	for i, name := range req.Entities {
		if _, err := parseName(name, fmt.Sprintf("entities[%d]", i)); err != nil {
			return nil, err
		}
	}
	l, err := h.knownLane(ctx, service)
	if err != nil {
		return nil, err
	}
	ended := []string{}
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		s := tip.State
		ended = ended[:0] // an edit may be called again
		names := req.Entities
		if len(names) == 0 {
			names = entitiesOf(s.Interests)
		}
		for _, entity := range names {
			if s.Find(entity) == nil {
				continue
			}
			s = s.End(entity)
			ended = append(ended, entity)
		}
		return s, len(ended) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	h.announce(service)
	// A record may be left of an interest that the lane does not know.
	h.removeRecords(ctx, interestPaths(append(ended, req.Entities...), service))
	return contract.Unregistered{Service: service.String(), Ended: ended, Entities: entitiesOf(state.Interests)}, nil
}

// removeRecords takes records of what ended out of the registry; what it does
// not get done, reconciling does later: the lane remembers what was ended.
func (h *Hub) removeRecords(ctx context.Context, paths []string) {
	if !h.cfg.Registry.Status().Connected {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeThroughTime)
	defer cancel()
	for _, path := range paths {
		h.recorded.remove(path)
		h.alarms.clear(vanished(path))
		if err := h.cfg.Registry.Delete(ctx, path, tree.Any); err != nil && !errors.Is(err, tree.ErrNotFound) {
			h.log.Warn("remove a registry record; it will be tried again", "path", path, "err", err)
			return
		}
	}
}

// knownLane is a lane that exists, whether or not this hub has taken it up yet.
func (h *Hub) knownLane(ctx context.Context, service subjects.Name) (*lane.Lane, error) {
	if l := h.lanes.get(service); l != nil {
		return l, nil
	}
	if _, err := lane.ReadTip(ctx, h.js, service); err != nil {
		return nil, err
	}
	l := h.lanes.add(service)
	l.Own(h.ownerOf(service) == h.cfg.ID)
	return l, nil
}

func (h *Hub) doPause(ctx context.Context, service subjects.Name, req contract.Pause) (any, error) {
	if req.For <= 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "for", "say for how long, as in {\"for\":\"1h\"}")
	}
	// The workers' server compares it with its own clock.
	return h.pauseUntil(ctx, service, h.now().Add(time.Duration(req.For)))
}

func (h *Hub) doResume(ctx context.Context, service subjects.Name, _ none) (any, error) {
	return h.pauseUntil(ctx, service, time.Time{})
}

// pauseUntil pauses a service's workers, or has them go on at the zero time.
func (h *Hub) pauseUntil(ctx context.Context, service subjects.Name, until time.Time) (any, error) {
	workers, err := lane.Workers(ctx, h.js, service)
	if err != nil {
		return nil, err
	}
	reply := contract.Paused{Service: service.String(), Consumers: sortedKeys(workers)}
	for _, name := range reply.Consumers {
		if err := h.pauseConsumer(ctx, service, name, until); err != nil {
			return nil, err
		}
	}
	if !until.IsZero() {
		reply.PausedUntil = &until
	}
	return reply, nil
}

// pauseConsumer pauses one consumer, and takes the server's word for it: a time
// that its clock has passed pauses nothing.
func (h *Hub) pauseConsumer(ctx context.Context, service subjects.Name, name string, until time.Time) error {
	stream := subjects.LaneStream(service)
	if until.IsZero() {
		if _, err := h.js.ResumeConsumer(ctx, stream, name); err != nil {
			return fmt.Errorf("resume consumer %s of lane %s: %w", name, service, err)
		}
		return nil
	}
	got, err := h.js.PauseConsumer(ctx, stream, name, until)
	if err != nil {
		return fmt.Errorf("pause consumer %s of lane %s: %w", name, service, err)
	}
	if !got.Paused {
		return contract.FieldErrorf(contract.CodeInvalidValue, "for", "the server's clock had passed %s before it paused %s: pause for longer",
			until.Format(time.RFC3339Nano), name)
	}
	return nil
}

func (h *Hub) doRewind(ctx context.Context, service subjects.Name, req contract.Rewind) (any, error) {
	to, ok := parseMoment(string(req.To))
	if !ok {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "to", "%q is not %s", clip(string(req.To)), moments)
	}
	l, err := h.knownLane(ctx, service)
	if err != nil {
		return nil, err
	}
	target, err := h.rewindTarget(ctx, to)
	if err != nil {
		return nil, err
	}
	seq, again, err := l.Rewind(ctx, target)
	if tooOld, ok := errors.AsType[*lane.TooOldError](err); ok {
		return nil, contract.FieldErrorf(contract.CodeTooOld, "to", "%v", tooOld)
	}
	if forwards, ok := errors.AsType[*lane.ForwardsError](err); ok {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "to", "%v", forwards)
	}
	if err != nil {
		return nil, err
	}
	h.announce(service)
	return contract.Rewound{Service: service.String(), Consumers: lane.Consumers(l.Status().State.Queue), Seq: seq, Redelivered: again}, nil
}

// rewindTarget is where to rewind to; a place that ingest has not come to is
// refused.
func (h *Hub) rewindTarget(ctx context.Context, to moment) (lane.RewindTarget, error) {
	_, b, err := h.ingest.End(ctx) // which tells the server's time as well
	if err != nil {
		return lane.RewindTarget{}, err
	}
	if err := to.beyond(b.Last, "to"); err != nil {
		return lane.RewindTarget{}, err
	}
	at, err := to.time(h.now(), "to")
	return lane.RewindTarget{Epoch: h.ingest.Epoch(), Seq: to.seq, Time: at}, err
}
