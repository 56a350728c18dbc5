package agree

import (
	"github.com/replhub/replhub/hub/internal/lane/record"
	registry "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
)

// Record is the record of a service's interest in an entity, as this hub's copy of the
// registry has it. The copy may be old.
type Record struct {
	Entity  string
	Found   registry.Interest
	Version tree.Version
}

// Knowledge is what this hub knows without a request.
type Knowledge struct {
	// Owned says that this hub owns the lane.
	Owned bool
	// Dropped says that the record's interest ended with its lane.
	Dropped bool
	// State is the lane's state in this hub's memory; nil without one.
	State *record.State
	// NewID makes an id.
	NewID func() string
}

// Interest decides about a record.
func Interest(r Record, k Knowledge) Step {
	switch {
	case k.Dropped:
		return Remove{Expect: r.Version, Dropped: true}
	case !k.Owned:
		return Done{}
	case r.Found.Requests():
		return request(r, k.NewID)
	case k.State != nil:
		// The common case costs no request: the record says what the lane does.
		if have := k.State.Find(r.Entity); have != nil && r.Found.Same(*have) {
			return Done{}
		}
	}
	return ReadLane{func(l Lane) Step { return byLane(r, l) }}
}

// request registers the interest that a record requests. The record gets an id first, if
// no hub has given it one.
func request(r Record, newID func() string) Step {
	if r.Found.ID != "" {
		return register(r, r.Found.ID)
	}
	claimed := r.Found.Claimed(newID())
	return Claim{Value: registry.Encode(claimed), Expect: r.Version, Then: func(stored bool) Step {
		if !stored {
			return Done{} // the next look has the newer record
		}
		return register(r, claimed.ID)
	}}
}

func register(r Record, id string) Step {
	return Register{id, func(ended bool) Step {
		if ended {
			return Remove{Expect: r.Version}
		}
		return Done{}
	}}
}

// byLane decides about a record that may differ from the lane.
func byLane(r Record, l Lane) Step {
	switch {
	case l.Gone:
		return LookAgain{} // deleted just now, to be reported once the lane's loop has ended
	case l.Err != nil:
		return Done{}
	}
	switch judge(r.Found, l.State, r.Entity) {
	case differs:
		return Correct{Value: registry.Encode(registry.Of(*l.State.Find(r.Entity))), Expect: r.Version}
	case ended:
		return Remove{Expect: r.Version}
	case unknown:
		return Unknown{}
	case agrees:
	}
	return Done{}
}
