package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

const (
	// longest is how long a registration may be at work: after it, its last message is
	// stored or lost.
	longest = ownership.FinishTime + 2*time.Second
	// patience is how long a policy waits for the registrations that are under way.
	patience = 5 * time.Second
	// readTime bounds reading a policy for a registration.
	readTime = time.Second
	// forgetAfter is how long the mark of a cleared policy stays: longer than any hub
	// works on what it read before.
	forgetAfter = time.Minute
	// clockRoom is how far the servers' clocks may be wrong. A record with a revision
	// beyond it was written by hand.
	clockRoom = 24 * time.Hour
	// maxTries bounds how often a record that others change meanwhile is written.
	maxTries = 3
)

// Config is what an Enforcer needs. Every field but Required is required.
type Config struct {
	Conn   *nats.Conn
	Ingest *ingest.Ingest
	Hubs   *ownership.Hubs
	Lanes  *lanes.Set
	Book   *registry.Book
	// Letters are the dead letters, which come back by the policy that is in force.
	Letters *deadletter.Queue
	Alarms  *alarm.Set
	// Required says that nothing of an entity without a policy is allowed.
	Required bool
	// Failpoint is called at named steps; tests kill the process there.
	Failpoint func(step string)
	Logger    *slog.Logger
}

// Enforcer keeps the lanes in agreement with the policies. Its methods may be called concurrently, except Look.
type Enforcer struct {
	cfg Config
	// raised are the entities about whose policy the last Look left an alarm.
	raised map[string]bool
}

// New makes an Enforcer.
func New(cfg Config) *Enforcer { return &Enforcer{cfg: cfg} }

// Revs are the highest revisions of the entities' policies that lanes have, as far as
// this hub knows.
type Revs map[string]uint64

// ForNew returns the policy that a new interest gets, nil for none. mark is the
// ledger's, read together with the registration's pin.
func (k *Enforcer) ForNew(ctx context.Context, entity, service string, mark ingest.PolicyMark, revs Revs) (*record.Policy, error) {
	return k.known(ctx, entity, mark, revs).forNew(entity, service, k.cfg.Required)
}

// Of returns the policy for a service that has no interest in an entity now.
func (k *Enforcer) Of(ctx context.Context, entity, service string) (*record.Policy, error) {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return nil, err
	}
	mark := marks[entity]
	return k.ForNew(ctx, entity, service, mark, k.Revs())
}

// known gathers what this hub knows of an entity's policy.
func (k *Enforcer) known(ctx context.Context, entity string, mark ingest.PolicyMark, revs Revs) known {
	out := known{mark: mark, inLanes: revs[entity], latest: k.latest()}
	out.record, out.read = k.cfg.Book.Policy(entity)
	if out.record.Policy.Rev == mark.Rev && out.standing() != byHand {
		return out
	}
	// The copy of the registry may be behind the ledger. If the registry is away, the copy
	// counts: it opens nothing that the ledger knows to be closed. A lane waits meanwhile.
	if !k.cfg.Book.Reachable() {
		out.read = false
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if found, err := k.cfg.Book.PolicyNow(ctx, entity); err == nil {
		out.record, out.read = found, true
	}
	return out
}

// Revs reads them from this hub's memory.
func (k *Enforcer) Revs() Revs {
	highest := make(Revs)
	for _, l := range k.cfg.Lanes.All() {
		for _, in := range l.Status().State.Interests {
			if in.Policy != nil && in.Policy.Suspended != noPolicy {
				highest[in.Entity] = max(highest[in.Entity], in.Policy.Rev)
			}
		}
	}
	return highest
}

// Set answers replhub.policy: it states or clears the policy of an entity, and returns
// once no copy is made any more that the policy does not allow. An empty request shows the
// policy, for who may not ask for all policies.
func (k *Enforcer) Set(ctx context.Context, entity subjects.Name, req contract.SetPolicy) (any, error) {
	switch {
	case req.Clear && req.Allow != nil:
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "clear", "a policy is either stated or cleared")
	case !req.Clear && req.Allow == nil:
		return k.show(ctx, entity.String())
	}
	allow, warnings, err := parse(req.Allow)
	if err != nil {
		return nil, err
	}
	now, err := k.cfg.Book.PolicyNow(ctx, entity.String())
	if err != nil {
		return nil, unstored(err)
	}
	if now.Newer {
		return nil, contract.Errorf(contract.CodeConflict, "the policy of %s was written by a newer replhub; upgrade this hub", entity)
	}
	reply := contract.PolicySet{Entity: entity.String(), Allow: allow, Cleared: req.Clear, Warnings: warnings}
	effects, rev, err := k.change(ctx, entity.String(), now, allow, req.Clear)
	if err != nil {
		return nil, err
	}
	reply.Rev, reply.Services = rev, effects
	return k.fit(reply), nil
}

// unstored refuses a request of which nothing was done.
func unstored(err error) error {
	return contract.Errorf(contract.CodeUnavailable, "nothing was changed: %v; send it again", err)
}

// change stores a policy and puts it in force. The ledger is marked first: from then on
// no registration comes into force without the policy, and no failure opens what the
// policy closes.
func (k *Enforcer) change(ctx context.Context, entity string, now registry.FoundPolicy, allow map[string]contract.Grant, ends bool) ([]contract.PolicyEffect, uint64, error) {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return nil, 0, unstored(err)
	}
	have := known{record: now, read: true, inLanes: k.Revs()[entity], latest: k.latest()}
	have.mark = marks[entity]
	want := ingest.PolicyMark{Rev: k.nextRev(entity, have), Sum: sum(allow), Cleared: ends}
	switch {
	case ends:
		want.Sum = ""
	case have.standing() == valid && have.mark.Rev == now.Policy.Rev && have.mark.Sum == want.Sum:
		want.Rev = now.Policy.Rev // the same again
	}
	stored, under, err := k.cfg.Ingest.MarkPolicy(ctx, entity, want)
	if errors.Is(err, retention.ErrPolicies) {
		return nil, 0, contract.Errorf(contract.CodeLimit, "%v than it has: clear policies that nobody needs, or raise the server's max_payload", err)
	}
	if err != nil {
		return nil, 0, unstored(err)
	}
	if !stored.Is(want) {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "another policy of %s was stated at the same time; look at it, and send this one again", entity)
	}
	k.cfg.Failpoint("policy marked")
	if err := k.store(ctx, entity, now, registry.NewPolicy(want.Rev, allow), ends); err != nil {
		return nil, 0, err
	}
	k.cfg.Failpoint("policy stored")
	left, over, err := under.Over(ctx, longest, patience)
	if err != nil {
		return nil, 0, err
	}
	if !over {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "the policy of %s is stored, and a registration is under way that may not know of it; send it again to learn that it is in force", entity)
	}
	effects, err := k.putInForce(ctx, order{Entity: entity, Rev: want.Rev}, func(service string) *record.Policy {
		if ends {
			return unowned(k.cfg.Required, want.Rev)
		}
		return grant(registry.NewPolicy(want.Rev, allow), service)
	}, left)
	if err != nil {
		if later := k.superseded(ctx, entity, want.Rev, registry.FoundPolicy{}); later != nil {
			err = later
		}
		return nil, 0, err
	}
	if err := k.cfg.Ingest.PolicyInForce(ctx, entity, want.Rev); err != nil {
		return nil, 0, contract.Errorf(contract.CodeUnavailable, "the policy of %s is in force, and the ledger does not say so yet: %v; send it again", entity, err)
	}
	k.cfg.Logger.Info("policy in force", "entity", entity, "rev", want.Rev, "cleared", ends, "services", len(effects))
	return effects, want.Rev, nil
}

// nextRev is a revision above all that are known. It is taken from the clock, so that
// it is above those that were forgotten with a ledger and a registry.
func (k *Enforcer) nextRev(entity string, have known) uint64 {
	now := uint64(max(k.cfg.Ingest.Now().UnixMicro(), 1))
	rev := max(now, have.mark.Rev+1, have.inLanes+1, k.inLanes(entity)+1)
	if have.invented() {
		return rev
	}
	return max(rev, have.record.Policy.Rev+1)
}

// latest bounds the revisions that a hub can have given by now.
func (k *Enforcer) latest() uint64 {
	return uint64(max(k.cfg.Ingest.Now().Add(clockRoom).UnixMicro(), 1))
}

// inLanes is the highest revision that an interest in an entity has, also of what is
// suspended because there is no policy.
func (k *Enforcer) inLanes(entity string) (highest uint64) {
	for _, l := range k.cfg.Lanes.All() {
		s := l.Status().State
		if in := s.Find(entity); in != nil && in.Policy != nil {
			highest = max(highest, in.Policy.Rev)
		}
	}
	return highest
}

// store writes the registry's record.
func (k *Enforcer) store(ctx context.Context, entity string, now registry.FoundPolicy, p registry.Policy, ends bool) error {
	var err error
	for range maxTries {
		// The record was read before the ledger. So a later policy is seen in one of them,
		// or this write does not fit behind it.
		if err := k.superseded(ctx, entity, p.Rev, now); err != nil {
			return err
		}
		if err = k.write(ctx, entity, now, p, ends); !errors.Is(err, tree.ErrConflict) {
			break
		}
		var again error
		if now, again = k.cfg.Book.PolicyNow(ctx, entity); again != nil {
			err = again
			break
		}
	}
	if err != nil {
		return contract.Errorf(contract.CodeUnavailable, "the policy of %s is begun and not stored: until then new registrations for %s are refused, and what is in force stays; send it again: %v", entity, entity, err)
	}
	return nil
}

// write writes the registry's record over the one that was read.
func (k *Enforcer) write(ctx context.Context, entity string, now registry.FoundPolicy, p registry.Policy, ends bool) error {
	value := registry.Encode(p)
	switch {
	case ends && !now.Is:
		return nil
	case ends:
		value = nil
	case now.Is && now.Problem == "" && now.Policy.Rev == p.Rev:
		return nil
	}
	return k.cfg.Book.Overwrite(ctx, registry.PolicyPath(entity), value, now.Version)
}

// superseded refuses a policy, or its end, if the ledger or the registry has a later one:
// that one holds, whoever wrote first.
func (k *Enforcer) superseded(ctx context.Context, entity string, rev uint64, now registry.FoundPolicy) error {
	marks, err := k.cfg.Ingest.PolicyMarks(ctx)
	if err != nil {
		return contract.Errorf(contract.CodeUnavailable, "the ledger does not say whether another policy of %s was stated meanwhile: %v; send it again", entity, err)
	}
	if marks[entity].Rev > rev || now.Is && now.Problem == "" && now.Policy.Rev > rev && now.Policy.Rev <= k.latest() {
		return contract.Errorf(contract.CodeUnavailable, "another policy of %s was stated meanwhile, and it holds; look at it, and send this one again", entity)
	}
	return nil
}

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

// settle finishes what a hub began: it puts a record made by hand in force, and marks a
// policy that a lost ledger does not have. One hub does it for each entity.
func (k *Enforcer) settle(ctx context.Context, entity string, one known) {
	name, err := subjects.ParseName(entity)
	if err != nil || !k.cfg.Hubs.Owns(name) {
		return
	}
	switch standing := one.standing(); {
	case standing == byHand:
		k.adopt(ctx, entity)
	case standing == valid && one.mark.Rev < one.record.Policy.Rev:
		p := one.record.Policy
		if _, _, err := k.cfg.Ingest.MarkPolicy(ctx, entity, ingest.PolicyMark{Rev: p.Rev, Sum: sum(p.Allow)}); err != nil {
			k.cfg.Logger.Debug("mark a policy", "entity", entity, "err", err) // the next look tries again
		}
	}
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
