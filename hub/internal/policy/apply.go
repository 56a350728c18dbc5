package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// VerbApply is the request of the hub that changes a policy to the hub that owns a
// lane.
const VerbApply = "_policy"

// askTime bounds the wait for the owner of a lane; the hub that asks then does the work
// itself. laneTime bounds the work on one lane.
const (
	askTime  = 3 * time.Second
	laneTime = 8 * time.Second
)

// order puts a policy on the interest of one lane.
type order struct {
	Entity string `json:"entity"`
	// Rev is the revision of the policy, or of its end.
	Rev uint64 `json:"rev"`
	// Policy is what the service gets; nil for no policy.
	Policy *record.Policy `json:"policy,omitempty"`
	// Fence writes the lane's state record even if it does not change: a registration
	// that was on its way then fails.
	Fence bool `json:"fence,omitempty"`
}

// lay lays the order over a lane's state.
func (o order) lay(s lane.State) (next lane.State, changed bool) {
	if next, changed = s.LayPolicy(o.Entity, o.Rev, o.Policy); changed {
		return next, true
	}
	return s, o.Fence && !s.Dropped
}

// late refuses an order that comes behind a later policy.
func (o order) late(s lane.State) error {
	if in := s.Find(o.Entity); in != nil && in.Policy != nil && in.Policy.Rev > o.Rev {
		return fmt.Errorf("its lane has a later policy, of revision %d", in.Policy.Rev)
	}
	return nil
}

// effect is what is in force; ok is false for a lane without the interest.
func (o order) effect(service subjects.Name, s lane.State) (e contract.PolicyEffect, ok bool) {
	in := s.Find(o.Entity)
	if in == nil || s.Dropped {
		return contract.PolicyEffect{}, false
	}
	state, reason := in.Effect()
	if state == "" {
		state = contract.PolicyFull
	}
	return contract.PolicyEffect{Service: service.String(), State: state, Reason: reason, Epoch: s.Pos.Epoch, Seq: s.Pos.Seq + 1}, true
}

// putInForce lays a policy over all lanes, and returns what it means for the services
// that are registered for the entity. It fails if it is not in force in every lane. The
// lanes are read from their streams: this hub's memory may not know of a registration
// that another hub has just answered.
func (k *Enforcer) putInForce(ctx context.Context, o order, policyOf func(service string) *record.Policy, fence []subjects.Name) ([]contract.PolicyEffect, error) {
	services, err := k.cfg.Lanes.List(ctx)
	if err != nil {
		return nil, contract.Errorf(contract.CodeUnavailable, "the policy of %s is stored and not in force everywhere: %v; send the request again", o.Entity, err)
	}
	var mu sync.Mutex // guards what follows
	effects, failed := []contract.PolicyEffect{}, []string{}
	k.cfg.Lanes.Each(ctx, services, func(ctx context.Context, service subjects.Name) {
		one := o
		one.Policy, one.Fence = policyOf(service.String()), slices.Contains(fence, service)
		effect, ok, err := k.into(ctx, service, one)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			failed = append(failed, fmt.Sprintf("%s (%v)", service, err))
		case ok:
			effects = append(effects, effect)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(failed) > 0 {
		slices.Sort(failed)
		return nil, contract.Errorf(contract.CodeUnavailable, "the policy of %s is stored, and it is not in force for %s; the hubs try again, and you can send the request again", o.Entity, strings.Join(failed, ", "))
	}
	slices.SortFunc(effects, func(a, b contract.PolicyEffect) int { return strings.Compare(a.Service, b.Service) })
	return effects, nil
}

// into lays an order over one lane, by the lane's owner if that answers.
func (k *Enforcer) into(ctx context.Context, service subjects.Name, o order) (e contract.PolicyEffect, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	state, err := k.cfg.Lanes.State(ctx, service)
	switch {
	case errors.Is(err, lane.ErrNoLane):
		return e, false, nil
	case errors.Is(err, lane.ErrStateLost):
		return e, false, nil // it is being detached, and nothing is copied into it
	case err != nil:
		return e, false, err
	}
	if state.Find(o.Entity) == nil && !o.Fence {
		// A letter that is on its way back was judged by an older policy, which no interest
		// holds. The fence has it judged again.
		letters, err := k.cfg.DeadLetters.Count(ctx, service)
		if err != nil {
			return e, false, err
		}
		o.Fence = letters > 0
	}
	if _, changed := o.lay(state); !changed {
		e, ok = o.effect(service, state)
		return e, ok, o.late(state)
	}
	if owner := k.cfg.Hubs.Owner(service); owner != k.cfg.Hubs.ID() {
		if e, ok, done := k.ask(ctx, owner, service, o); done {
			return e, ok, nil
		}
	}
	return k.here(ctx, service, o)
}

// applied is the answer of a lane's owner.
type applied struct {
	Effect *contract.PolicyEffect `json:"effect,omitempty"`
}

func (k *Enforcer) ask(ctx context.Context, owner string, service subjects.Name, o order) (e contract.PolicyEffect, ok, done bool) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	data, err := json.Marshal(o)
	if err != nil {
		return e, false, false
	}
	var m *nats.Msg
	if m, err = k.cfg.Hubs.Ask(ctx, owner, VerbApply, service, data); err != nil || m.Header.Get(micro.ErrorCodeHeader) != "" {
		return e, false, false
	}
	var answer applied
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return e, false, false
	}
	if answer.Effect == nil {
		return e, false, true
	}
	return *answer.Effect, true, true
}

// Apply answers the hub that changes a policy.
func (k *Enforcer) Apply(ctx context.Context, service subjects.Name, o order) (any, error) {
	effect, ok, err := k.here(ctx, service, o)
	if err != nil || !ok {
		return applied{}, err
	}
	return applied{Effect: &effect}, nil
}

// here lays an order over a lane by this hub.
func (k *Enforcer) here(ctx context.Context, service subjects.Name, o order) (e contract.PolicyEffect, ok bool, err error) {
	l, err := k.cfg.Lanes.Existing(ctx, service)
	if errors.Is(err, lane.ErrNoLane) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		next, changed := o.lay(tip.State)
		if !changed {
			return next, false, nil
		}
		bounded, err := next.Bounded(tip.State, k.cfg.Conn.MaxPayload())
		if err != nil && o.Policy != nil {
			// It must not stay open because what is allowed takes too many bytes to say.
			next = tip.State.WithPolicy(o.Entity, &record.Policy{Rev: o.Policy.Rev, Suspended: tooLarge})
			bounded, err = next.Bounded(tip.State, k.cfg.Conn.MaxPayload())
		}
		return bounded, true, reply.Limited(err)
	})
	if errors.Is(err, lane.ErrNoLane) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	k.cfg.Failpoint("policy in force")
	k.cfg.Lanes.Announce(service)
	e, ok = o.effect(service, state)
	return e, ok, o.late(state)
}

// follow lays an order over a lane of this hub that a change did not reach.
func (k *Enforcer) follow(ctx context.Context, service subjects.Name, o order) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	if _, _, err := k.here(ctx, service, o); err != nil {
		k.cfg.Logger.Warn("put a policy in force; trying again", "service", service.String(), "entity", o.Entity, "err", err)
		return false
	}
	k.cfg.Logger.Info("policy put in force in a lane", "service", service.String(), "entity", o.Entity, "rev", o.Rev)
	return true
}

// fit makes a reply fit the server's max_payload.
func (k *Enforcer) fit(r contract.PolicySet) contract.PolicySet {
	services := r.Services
	r.Services = []contract.PolicyEffect{}
	r.Services, r.LeftOut = reply.Fitting(services, reply.Room(k.cfg.Conn.MaxPayload())-reply.Size(r))
	return r
}
