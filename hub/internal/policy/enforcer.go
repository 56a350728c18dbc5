package policy

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	registry "github.com/replhub/replhub/hub/internal/record"
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
	// confirmEvery is the time between two attempts to confirm a policy in every lane.
	confirmEvery = time.Minute
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
	DeadLetters *deadletter.Queue
	Alarms      *alarm.Set
	// Required says that nothing of an entity without a policy is allowed.
	Required bool
	// Failpoint is called at named steps; tests kill the process there.
	Failpoint func(step string)
	Logger    *slog.Logger
}

// Enforcer keeps the lanes in agreement with the policies. Its methods may be called concurrently, except Look.
type Enforcer struct {
	cfg Config
	// raised are the entities about whose policy the last Look left an alarm, confirmed
	// those whose policy a Look put in force once more, and when. Only Look uses both.
	raised    map[string]bool
	confirmed map[string]time.Time
}

// New makes an Enforcer.
func New(cfg Config) *Enforcer { return &Enforcer{cfg: cfg, confirmed: make(map[string]time.Time)} }

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
