package contract

// VerbJoin shares the partitions of a service that is ordered by key out over
// its instances: replhub.join.<service>, sent by each about once a second.
const VerbJoin = "join"

// StreamMembers holds, by service, which instance has which partitions.
const StreamMembers = "REPLHUB_MEMBERS"

// Join is an instance's word that it is alive.
type Join struct {
	// Instance names it: 1 to 64 letters, digits, "_" and "-", of its own for
	// each start.
	Instance string `json:"instance"`
	// Holding are the partitions that it works on, those included that it is
	// about to give up.
	Holding []int `json:"holding,omitempty"`
	// Leaving says that it wants no partition any more. Those that it holds stay
	// its own until it says so without them, or its time is over.
	Leaving bool `json:"leaving,omitempty"`
	// Generation is that of the last reply that it acts upon. A partition counts
	// as given up only when it is missing from Holding in answer to a reply that
	// did not assign it.
	Generation uint64 `json:"generation,omitempty"`
}

// Joined is the reply of replhub.join.<service>.
type Joined struct {
	Service string `json:"service"`
	// Partitions is how many the queue has; 0 when it is not ordered by key.
	Partitions int `json:"partitions"`
	// Assigned are those that the instance may work on, and no others.
	Assigned []int `json:"assigned"`
	// Members is how many instances there are.
	Members int `json:"members"`
	// TTL is how long, from when the request was sent, nobody else is given the
	// partitions that the instance holds.
	TTL Duration `json:"ttl"`
	// Generation counts the changes of who has what.
	Generation uint64 `json:"generation"`
}

// ReasonFailed: the service's handler failed at every attempt that it was
// allowed.
const ReasonFailed = "failed"

// ReasonInvalid: the service's handler, or its database, refused a value for what
// it is, so that no other attempt can change it.
const ReasonInvalid = "invalid"

// ReasonWaits: the service's database refused it for what other rows are like, a
// parent that is missing or a value that another row has, for as long as the
// service waits for that to change.
const ReasonWaits = "waits"

// Headers that the service's own dead letters have besides.
const (
	// HeaderStack is the stack of a handler that panicked, its lines parted by
	// " | ".
	HeaderStack = "Replhub-Stack"
	// HeaderFirstAttempt is when the handler was first tried: RFC 3339, UTC.
	HeaderFirstAttempt = "Replhub-First-Attempt"
	// HeaderLastAttempt is when it was last tried.
	HeaderLastAttempt = "Replhub-Last-Attempt"
)
