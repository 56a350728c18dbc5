package policy

import (
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
)

// known is what a hub knows of the policy of one entity.
type known struct {
	// record is the registry's, and read says that the registry was read.
	record registry.FoundPolicy
	read   bool
	// mark is the ledger's, zero without one.
	mark retention.PolicyMark
	// inLanes is the highest revision that a lane has, as far as this hub knows.
	inLanes uint64
	// latest is the highest revision that a hub can have given by now; 0 for no bound.
	latest uint64
}

// invented reports whether a record's revision was written by hand: no hub has given it.
func (k known) invented() bool {
	rev := k.record.Policy.Rev
	return k.latest > 0 && rev > k.latest && rev > max(k.mark.Rev, k.inLanes)
}

// standing is what the knowledge amounts to.
type standing int

const (
	none    standing = iota // the entity has no policy
	valid                   // the record is the policy
	cleared                 // the policy was cleared, and lanes may still hold it
	byHand                  // the record was made by hand, and is not in force yet
	faulty                  // the record is no policy
	missing                 // there is a policy, and the registry does not have it
)

func (k known) standing() standing {
	newest := max(k.mark.Rev, k.inLanes)
	r := k.record
	switch {
	case r.Is && r.Problem != "":
		return faulty
	case r.Is && (r.Policy.Rev == 0 || k.invented() || r.Policy.Rev == k.mark.Rev && !k.mark.Cleared && sum(r.Policy.Allow) != k.mark.Sum):
		return byHand
	case k.mark.Cleared && k.mark.Rev >= newest && r.Policy.Rev <= k.mark.Rev:
		return cleared
	case r.Is && r.Policy.Rev >= newest:
		return valid
	case newest > 0:
		return missing
	}
	return none
}

// over reports whether a policy was cleared, no lane holds it, and no hub works any more
// on what it read before.
func (k known) over(now time.Time) bool {
	return k.standing() == cleared && k.inLanes == 0 && now.Sub(time.UnixMicro(int64(k.mark.Rev))) > forgetAfter
}

// Words of why a service gets nothing.
const (
	notNamed = "the policy does not name the service"
	noPolicy = "the entity has no policy, and the hub requires one"
	tooLarge = "what the policy allows does not fit the lane's state record: raise max_payload, or shorten the policy"
)

// grant is what a record allows a service.
func grant(p registry.Policy, service string) *record.Policy {
	g, ok := p.Allow[service]
	if !ok {
		g, ok = p.Allow[contract.AnyService]
	}
	if !ok {
		return &record.Policy{Rev: p.Rev, Suspended: notNamed}
	}
	return &record.Policy{Rev: p.Rev, Grant: g}
}

// unowned is what applies without a policy. rev is the revision of the policy's end, so
// that an order which comes late does not open what that end has closed; 0 without one.
func unowned(required bool, rev uint64) *record.Policy {
	if required {
		return &record.Policy{Rev: rev, Suspended: noPolicy}
	}
	return nil
}

// of decides which policy an interest in force gets. It returns have unless a policy
// was read that is newer: what is in force is never widened by what is missing.
func (k known) of(service string, have *record.Policy, required bool) *record.Policy {
	switch k.standing() {
	case valid:
		if have == nil || have.Rev < k.record.Policy.Rev {
			return grant(k.record.Policy, service)
		}
	case cleared:
		if have == nil || have.Rev < k.mark.Rev {
			return unowned(required, k.mark.Rev)
		}
	case none:
		if have == nil {
			return unowned(required, 0)
		}
	case byHand, faulty, missing:
	}
	return have
}

// forNew decides which policy a new interest gets. It is refused where the policy is
// not known.
func (k known) forNew(entity, service string, required bool) (*record.Policy, error) {
	switch k.standing() {
	case valid:
		return grant(k.record.Policy, service), nil
	case none, cleared:
		return unowned(required, k.mark.Rev), nil
	case byHand, faulty, missing:
	}
	return nil, contract.Errorf(contract.CodeUnavailable, "%s has a policy that cannot be applied now: %s", entity, k.problem(entity))
}

// problem says why the policy of an entity cannot be applied, and what to do; empty
// where it can.
func (k known) problem(entity string) string {
	switch k.standing() {
	case byHand:
		return "it was written by hand and is being put in force; if it stays so, replhub status says why"
	case faulty:
		return "registry record " + registry.PolicyPath(entity) + ": " + k.record.Problem
	case missing:
		what := "the registry does not have it any more, or has an older one"
		if !k.read {
			what = "the registry cannot be read"
		}
		return what + "; what is in force stays: state the policy again (replhub policy " + entity + " --allow …), or end it (--clear)"
	case none, valid, cleared:
	}
	return ""
}
