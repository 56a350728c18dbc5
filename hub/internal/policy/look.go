package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Look makes the lanes that this hub owns agree with the policies, and reports the
// policies that cannot be applied. It is called by one goroutine, while the registry can
// be read. done is false if something is left to do: a lane was not read yet, or could
// not be changed.
func (k *Enforcer) Look(ctx context.Context) (done bool) {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		k.cfg.Logger.Debug("read the marks of policies", "err", err) // the next look tries again
		return false
	}
	k.compareHubs()
	entities := k.entities(marks)
	raised, revs := make(map[string]bool), k.Revs()
	all := make(map[string]known, len(entities))
	for _, entity := range entities {
		mark := marks[entity]
		one := k.known(ctx, entity, mark, revs)
		all[entity] = one
		if one.standing() != byHand {
			k.cfg.Alarms.Clear(aboutHand(entity))
		}
		k.settle(ctx, entity, one)
		if text := one.problem(entity); text != "" && one.standing() != byHand {
			raised[entity] = true
			k.cfg.Alarms.Raise(about(entity), "the policy of "+entity+": "+text)
		}
	}
	for entity := range k.raised {
		if !raised[entity] {
			k.cfg.Alarms.Clear(about(entity))
		}
	}
	k.raised = raised
	done = k.layOver(ctx, all, func(*lane.Lane) bool { return true })
	for _, entity := range entities {
		if all[entity].standing() == cleared && done {
			k.forget(ctx, entity, all[entity])
		}
	}
	return done
}

// LookAtHeld puts the policies in force in the lanes that are held for an older one. It is
// called in place of Look while the registry is away, and knows what was read of it
// before: a policy that the ledger does not know as the newest stays out of force.
func (k *Enforcer) LookAtHeld(ctx context.Context) {
	held := func(l *lane.Lane) bool { return l.Held() != "" }
	if !slices.ContainsFunc(k.cfg.Lanes.All(), held) {
		return
	}
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		k.cfg.Logger.Debug("read the marks of policies", "err", err) // the next look tries again
		return
	}
	all, revs := make(map[string]known), k.Revs()
	for _, entity := range k.entities(marks) {
		mark := marks[entity]
		all[entity] = k.known(ctx, entity, mark, revs)
	}
	k.layOver(ctx, all, held)
}

// layOver lays the policies over the lanes that this hub owns and that are among those
// that it is to change.
func (k *Enforcer) layOver(ctx context.Context, all map[string]known, among func(*lane.Lane) bool) (done bool) {
	done = true
	for _, l := range k.cfg.Lanes.All() {
		if !l.Owned() || l.Parked() != "" || !among(l) {
			continue
		}
		done = done && l.Status().Last > 0
		for _, in := range l.Status().State.Interests {
			next := all[in.Entity].of(l.Service().String(), in.Policy, k.cfg.Required)
			if !next.Equal(in.Policy) {
				done = k.follow(ctx, l.Service(), order{Entity: in.Entity, Rev: all[in.Entity].rev(), Policy: next}) && done
			}
		}
	}
	return done
}

// compareHubs reports hubs that allow something else of an entity without a policy: what a
// service then gets depends on which hub owns its lane.
func (k *Enforcer) compareHubs() {
	mine, about := contract.PolicyOpen, alarm.About{Kind: alarm.Setting, Name: contract.EnvPolicy}
	if k.cfg.Required {
		mine = contract.PolicyRequired
	}
	var others []string
	for id, policy := range registry.HubPolicies(k.cfg.Book.Snapshot()) {
		if id != k.cfg.Hubs.ID() && policy != mine {
			others = append(others, id+" has "+policy)
		}
	}
	if len(others) == 0 {
		k.cfg.Alarms.Clear(about)
		return
	}
	slices.Sort(others)
	k.cfg.Alarms.Raise(about, fmt.Sprintf("hubs have different values of %s: %s has %s, %s; give all hubs the same one", contract.EnvPolicy, k.cfg.Hubs.ID(), mine, strings.Join(others, ", ")))
}

func about(entity string) alarm.About { return alarm.About{Kind: alarm.Policy, Name: entity} }

// aboutHand is about a policy that was written by hand.
func aboutHand(entity string) alarm.About {
	return alarm.About{Kind: alarm.Policy, Name: entity + " by hand"}
}

// rev is the revision of the newest policy, or of its end.
func (k known) rev() uint64 { return max(k.mark.Rev, k.record.Policy.Rev) }

// entities are those of whose policy something is known, sorted.
func (k *Enforcer) entities(marks map[string]ingest.PolicyMark) []string {
	set := maps.Clone(marks)
	if set == nil {
		set = make(map[string]ingest.PolicyMark)
	}
	for _, entity := range k.cfg.Book.Governed() {
		set[entity] = marks[entity]
	}
	for _, l := range k.cfg.Lanes.All() {
		for _, in := range l.Status().State.Interests {
			if in.Policy != nil {
				set[in.Entity] = marks[in.Entity]
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// forget removes the mark of a policy that was cleared, once every lane is read and none
// holds the policy: without the mark, a lane would keep what it has. One hub does it for
// each entity.
func (k *Enforcer) forget(ctx context.Context, entity string, one known) {
	name, err := subjects.ParseName(entity)
	if err != nil || !k.cfg.Hubs.Owns(name) {
		return
	}
	one.inLanes = k.Revs()[entity] // the lanes have changed since it was read
	unread := slices.ContainsFunc(k.cfg.Lanes.All(), func(l *lane.Lane) bool { return l.Status().Last == 0 })
	if unread || !one.over(k.cfg.Ingest.Now()) {
		return
	}
	if one.record.Is { // an older copy of the registry
		if err := k.cfg.Book.Overwrite(ctx, registry.PolicyPath(entity), nil, one.record.Version); err != nil {
			return // the next look tries again
		}
	}
	if err := k.cfg.Ingest.ForgetPolicy(ctx, entity, one.mark.Rev); err != nil {
		k.cfg.Logger.Debug("forget a policy", "entity", entity, "err", err) // the next look tries again
	}
}

// settle finishes what a hub began: it puts a record made by hand in force, marks a
// policy that a lost ledger does not have, and notes in the ledger that a policy is in
// force. One hub does it for each entity.
func (k *Enforcer) settle(ctx context.Context, entity string, one known) {
	name, err := subjects.ParseName(entity)
	if err != nil || !k.cfg.Hubs.Owns(name) {
		return
	}
	switch one.standing() {
	case byHand:
		k.adopt(ctx, entity)
	case valid:
		if one.mark.Rev < one.record.Policy.Rev {
			p := one.record.Policy
			mark, _, err := k.cfg.Ingest.MarkPolicy(ctx, entity, ingest.PolicyMark{Rev: p.Rev, Sum: sum(p.Allow)})
			if err != nil {
				k.cfg.Logger.Debug("mark a policy", "entity", entity, "err", err) // the next look tries again
				return
			}
			one.mark = mark
		}
		k.confirm(ctx, entity, one)
	case none, cleared, faulty, missing:
	}
}

// confirm puts a policy in force in every lane once more, and notes that in the ledger, if
// the request that stated it ended before. Without the note, a lane that begins with an
// older copy of its stream would not be held for this policy.
func (k *Enforcer) confirm(ctx context.Context, entity string, one known) {
	rev := one.record.Policy.Rev
	stated := time.UnixMicro(int64(rev))
	if one.mark.Rev != rev || one.mark.InForce >= rev || k.cfg.Ingest.Now().Sub(stated) < longest || time.Since(k.confirmed[entity]) < confirmEvery {
		return // the request may still be at work
	}
	k.confirmed[entity] = time.Now()
	now, err := k.cfg.Book.PolicyNow(ctx, entity)
	if err != nil || now.Policy.Rev != rev || now.Problem != "" {
		return // changed meanwhile: the next look judges it
	}
	allow, _, err := parse(now.Policy.Allow)
	if err == nil {
		_, _, err = k.change(ctx, entity, now, allow, false)
	}
	if err != nil {
		k.cfg.Logger.Debug("confirm that a policy is in force", "entity", entity, "err", err) // a later look tries again
		return
	}
	delete(k.confirmed, entity)
}

// adopt puts a record made by hand in force, which gives it a revision.
func (k *Enforcer) adopt(ctx context.Context, entity string) {
	now, err := k.cfg.Book.PolicyNow(ctx, entity)
	if err != nil || !now.Is || now.Problem != "" {
		return // changed meanwhile: the next look judges it
	}
	allow, _, err := parse(now.Policy.Allow)
	if err == nil {
		_, _, err = k.change(ctx, entity, now, allow, false)
	}
	if err != nil {
		k.cfg.Alarms.Raise(aboutHand(entity), fmt.Sprintf("the policy of %s that was written by hand is not in force: %v", entity, registry.InWords(err)))
		return
	}
	k.cfg.Logger.Warn("policy put in force from the registry", "entity", entity)
}
