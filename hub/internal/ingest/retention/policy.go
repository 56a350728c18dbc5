package retention

import (
	"errors"
	"maps"
	"time"

	"github.com/replhub/replhub/subjects"
)

// The policies of entities lie in the registry. The ledger holds which entities have
// one, and its revision: a registry that was wiped, or restored from an older copy,
// must not open an entity. A registration reads this mark together with its pin. So
// either it sees the mark of a new policy, or the change of the policy sees its pin.

// PolicyMark is what the ledger knows of the policy of one entity.
type PolicyMark struct {
	// Rev is the revision of the newest policy.
	Rev uint64 `json:"rev"`
	// Sum identifies its content.
	Sum string `json:"sum,omitempty"`
	// Cleared says that the policy was cleared, and that a lane may still hold it.
	Cleared bool `json:"cleared,omitempty"`
	// InForce is the newest revision that was in force in every lane, 0 without one. A
	// lane with an interest of a lower one began with an older copy of its stream.
	InForce uint64 `json:"in_force,omitempty"`
}

// Is reports whether two marks are of the same policy.
func (m PolicyMark) Is(other PolicyMark) bool {
	return m.Rev == other.Rev && m.Sum == other.Sum && m.Cleared == other.Cleared
}

// ErrPolicies means that the ledger has no room for the policy of one entity more.
var ErrPolicies = errors.New("the ledger has no room for the policies of more entities")

// policyBytes is how much of the ledger a mark takes at most, beside the entity's name.
const policyBytes = 128

// policyRoom is how many bytes the marks of policies take at most.
func (l *Ledger) policyRoom() (bytes int) {
	for entity := range l.Policies {
		bytes += len(entity) + policyBytes
	}
	return bytes
}

// MarkPolicy marks the policy of an entity. most bounds the bytes that all marks take: it
// fails with ErrPolicies where an entity would be too many. It does nothing where the ledger has a
// mark of the same or a later revision; then gets the mark that holds and the ledger.
func MarkPolicy(entity string, m PolicyMark, most int, then func(PolicyMark, Ledger) Step) Step {
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		if have, ok := l.Policies[entity]; ok && have.Rev >= m.Rev {
			return false, nil
		} else if !ok && l.policyRoom()+len(entity)+policyBytes > most {
			return false, ErrPolicies
		}
		if l.Policies == nil {
			l.Policies = make(map[string]PolicyMark, 1)
		}
		if m.InForce = 0; !m.Cleared {
			m.InForce = l.Policies[entity].InForce
		}
		l.Policies[entity] = m
		l.Pinnings++ // so that no hub remembers an older document in place of this one
		return true, nil
	}, func(l Ledger) Step { return then(l.Policies[entity], l) })
}

// PolicyInForce notes that a revision of a policy is in force in every lane, also where a
// later one is being put in force by now. It does nothing where the policy was cleared.
func PolicyInForce(entity string, rev uint64, then func() Step) Step {
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		have := l.Policies[entity]
		if have.Rev < rev || have.Cleared || have.InForce >= rev {
			return false, nil
		}
		have.InForce = rev
		l.Policies[entity] = have
		l.Pinnings++ // as above
		return true, nil
	}, func(Ledger) Step { return then() })
}

// Behind returns the revision that was in force for an entity, if an interest with the
// policy of revision rev lies behind it; 0 where it does not. Such an interest must get
// no copies: it may have less of a policy than its service was told.
func (l *Ledger) Behind(entity string, rev uint64) uint64 {
	if m := l.Policies[entity]; !m.Cleared && m.InForce > rev {
		return m.InForce
	}
	return 0
}

// ForgetPolicy removes the mark of a policy that was cleared and that no lane holds
// any more, unless there is a later mark.
func ForgetPolicy(entity string, rev uint64, then func() Step) Step {
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		have, ok := l.Policies[entity]
		if !ok || have.Rev != rev || !have.Cleared {
			return false, nil
		}
		delete(l.Policies, entity)
		l.Pinnings++ // as above
		return true, nil
	}, func(Ledger) Step { return then() })
}

// recallPolicies adds the marks that this hub knows to a ledger that was restored by a
// hub that knew less, and reports whether it added any.
func (l *Ledger) recallPolicies(known *Ledger) bool {
	added := false
	for entity, m := range known.Policies {
		if have, ok := l.Policies[entity]; ok && (have.Rev > m.Rev || have.Rev == m.Rev && have.InForce >= m.InForce) {
			continue
		}
		if l.Policies == nil {
			l.Policies = make(map[string]PolicyMark, len(known.Policies))
		}
		l.Policies[entity] = m
		added = true
	}
	return added
}

// UnderWay returns the services whose registrations had pinned ingest when this
// ledger was read, and which may not have known of a later mark: those that may still
// be at work, and those whose hub must have given up. A registration takes at most
// longest.
func (l *Ledger) UnderWay(now time.Time, longest time.Duration) (working map[string]Pin, left []subjects.Name) {
	working = maps.Clone(l.Pins)
	over := make(map[string]Pin)
	for id, p := range l.Pins {
		if now.Sub(p.Until.Add(-pinTTL)) > longest {
			over[id] = p
			delete(working, id)
		}
	}
	return working, servicesOf(over)
}

// StillPinned reports whether some of the registrations that set the pins have not ended.
// One that has set its pin again may still have an interest that it judged before.
func (l *Ledger) StillPinned(pins map[string]Pin) bool {
	for id := range pins {
		if _, ok := l.Pins[id]; ok {
			return true
		}
	}
	return false
}
