package contract

import "time"

// The control verbs; on the wire each is "replhub.<verb>" or
// "replhub.<verb>.<service>".
const (
	VerbRegister   = "register"
	VerbUnregister = "unregister"
	VerbDrop       = "drop"
	VerbPause      = "pause"
	VerbResume     = "resume"
	VerbRewind     = "rewind"
	VerbDescribe   = "describe"
	VerbServices   = "services"
	VerbWho        = "who"
	VerbExplain    = "explain"
	VerbStatus     = "status"
)

// Unregister ends interests; no entities means all entities.
type Unregister struct {
	Entities []string `json:"entities,omitempty"`
}

// Unregistered is the reply of replhub.unregister.<service>.
type Unregistered struct {
	Service string `json:"service"`
	// Ended are the entities whose interest this request ended.
	Ended []string `json:"ended"`
	// Entities are those still registered.
	Entities []string `json:"entities"`
}

// Drop deletes a service's stream.
type Drop struct {
	// Lost gives up a lane whose stream cannot be read any more, with all that it
	// holds and whatever its interests still need. It is refused while the lane
	// can be read.
	Lost bool `json:"lost,omitempty"`
}

// Dropped is the reply of replhub.drop.<service>.
type Dropped struct {
	Service string `json:"service"`
	Stream  string `json:"stream"`
}

// Pause stops a service's workers for a time.
type Pause struct {
	For Duration `json:"for"`
}

// Paused is the reply of replhub.pause.<service> and replhub.resume.<service>.
type Paused struct {
	Service   string   `json:"service"`
	Consumers []string `json:"consumers"`
	// PausedUntil is absent when the workers run.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
}

// Rewind starts a service's workers again from a time or an ingest sequence.
type Rewind struct {
	To Start `json:"to"`
	// DryRun changes nothing: the reply says what a rewind would do now.
	DryRun bool `json:"dry_run,omitempty"`
}

// Rewound is the reply of replhub.rewind.<service>.
type Rewound struct {
	Service   string   `json:"service"`
	Consumers []string `json:"consumers"`
	// Seq is the ingest sequence of the first event that workers get again; 0
	// when the lane holds nothing from there on yet.
	Seq uint64 `json:"seq"`
	// Redelivered is how many copies they get again.
	Redelivered uint64 `json:"redelivered"`
	// DryRun says that nothing was changed.
	DryRun bool `json:"dry_run,omitempty"`
}

// Who asks for the services interested in an entity.
type Who struct {
	Entity string `json:"entity"`
	// After is the service that the page begins behind, and Limit bounds its
	// services; DefaultPage by default.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// Interested is the reply of replhub.who.
type Interested struct {
	Entity   string           `json:"entity"`
	Services []InterestStatus `json:"services"`
	// Next is the After of the next page; empty at the end.
	Next string `json:"next,omitempty"`
}

// Explain asks why a service did or did not get an event.
type Explain struct {
	Seq uint64 `json:"seq"`
	// Epoch is the current one when omitted.
	Epoch uint64 `json:"epoch,omitempty"`
}

// Explained is the reply of replhub.explain.<service>.
type Explained struct {
	Service string `json:"service"`
	Seq     uint64 `json:"seq"`
	Epoch   uint64 `json:"epoch"`
	Entity  string `json:"entity,omitempty"`
	Op      string `json:"op,omitempty"`
	Key     string `json:"key,omitempty"`
	// Verdict is one of the Verdict constants.
	Verdict string `json:"verdict"`
	// Reason says it in a sentence.
	Reason string `json:"reason"`
	// Subject is the copy's subject in the lane, when there is or will be one.
	Subject string `json:"subject,omitempty"`
	// Copy is what became of the copy; absent where the lane holds none.
	Copy *ExplainedCopy `json:"copy,omitempty"`
	// Redriven are the lane's sequences of the copies that came back from the dead
	// letters, oldest first.
	Redriven []uint64 `json:"redriven,omitempty"`
	// Letters are the dead letters of the event that are stored, oldest first.
	Letters []ExplainedLetter `json:"letters,omitempty"`
	// Unknown tells what could not be found out, in a sentence each.
	Unknown []string `json:"unknown,omitempty"`
}

// ExplainedCopy is what became of an event's newest copy.
type ExplainedCopy struct {
	// Seq is its sequence in the lane's stream.
	Seq uint64 `json:"seq"`
	// Consumer is the work queue that it is in.
	Consumer string `json:"consumer,omitempty"`
	// State is one of the Copy constants.
	State string `json:"state"`
	// Delivered is how often workers got it, absent where that is not known: the
	// server forgets it with the acknowledgement.
	Delivered *uint64 `json:"delivered,omitempty"`
}

// States of a copy.
const (
	CopyWaiting      = "waiting"      // no worker has got it yet
	CopyDelivered    = "delivered"    // a worker has it, or failed with it and it comes again
	CopyAcknowledged = "acknowledged" // a worker has handled it
	CopyGivenUp      = "given_up"     // it ended as a dead letter
	CopyUnknown      = "unknown"      // the server does not say
)

// ExplainedLetter is one dead letter of an event.
type ExplainedLetter struct {
	// Seq is its sequence in the stream DLQ.
	Seq    uint64 `json:"seq"`
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Attempts is how often handlers had been given the event, Redriven how often it
	// had come back before.
	Attempts uint64 `json:"attempts"`
	Redriven int    `json:"redriven,omitempty"`
}

// Verdicts of explain.
const (
	VerdictCopied       = "copied"        // it is, or was, in the lane
	VerdictPending      = "pending"       // it will be; the lane has not reached it
	VerdictNoInterest   = "no_interest"   // the service has none in the entity
	VerdictBefore       = "before_since"  // older than the registration is due from
	VerdictOp           = "op"            // the op is not among those wanted
	VerdictFiltered     = "filtered"      // the filter said no
	VerdictNotAllowed   = "not_allowed"   // the policy of the entity's owner does not allow it
	VerdictOwn          = "own_event"     // the service published it itself, and echo is off
	VerdictDeadLettered = "dead_lettered" // it could not be filtered, projected or copied
	VerdictGone         = "gone"          // ingest holds it no more, so it cannot be judged
	VerdictDetached     = "detached"      // the lane is detached
)

// Services is the reply of replhub.services.
type Services struct {
	Services []LaneStatus `json:"services"`
	// Next is the After of the next page; empty at the end.
	Next string `json:"next,omitempty"`
}

// InterestStatus is one interest in force.
type InterestStatus struct {
	Service string `json:"service"`
	ID      string `json:"id"`
	Entity  string `json:"entity"`

	Definition

	// Since is the ingest sequence from which it is due, in epoch SinceEpoch.
	Since      uint64 `json:"since"`
	SinceEpoch uint64 `json:"since_epoch"`
	// Filling is true while older events are still being copied.
	Filling bool `json:"filling,omitempty"`
	// Policy is what the policy of the entity's owner means for the interest; absent
	// without a policy.
	Policy *InterestPolicy `json:"policy,omitempty"`
}

// Lane states.
const (
	LaneLive         = "live"         // at the end of ingest
	LaneBehind       = "behind"       // catching up
	LaneFilling      = "filling"      // copying what an interest is due from before
	LaneStalled      = "stalled"      // an append does not succeed; see Reason
	LaneDetached     = "detached"     // cut off; register again with a start
	LaneIncompatible = "incompatible" // written by a newer hub: this one must not touch it
)

// LaneStatus is one service's lane, as describe and services report it.
type LaneStatus struct {
	Service   string           `json:"service"`
	Stream    string           `json:"stream"`
	State     string           `json:"state"`
	Reason    string           `json:"reason,omitempty"`
	Since     *time.Time       `json:"state_since,omitempty"`
	Owner     string           `json:"owner,omitempty"`
	Interests []InterestStatus `json:"interests"`
	// Next is the entity of the last interest told where there are more:
	// replhub.describe with it as After goes on. Empty at the end.
	Next     string `json:"next,omitempty"`
	Queue    Queue  `json:"queue"`
	MaxBytes int64  `json:"max_bytes"`
	// Epoch and Seq are the position: the last ingest event dealt with.
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	// Lag is how many ingest events the lane is behind, and LagSeconds the age
	// of the oldest such event.
	Lag        uint64  `json:"lag"`
	LagSeconds float64 `json:"lag_seconds"`
	// LastSeq is the lane's own last sequence.
	LastSeq uint64 `json:"last_seq"`
	// Messages and Bytes are what the stream holds, acknowledged ones included.
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	// Backlog counts copies that no worker has acknowledged.
	Backlog uint64 `json:"backlog"`
	// OldestUnacked is the age in seconds of the oldest unacknowledged copy.
	OldestUnacked float64        `json:"oldest_unacked_seconds"`
	Workers       []WorkerStatus `json:"workers"`
	// Fill is the fill under way, or the first that waits for its turn, and
	// OtherFills those behind it.
	Fill       *FillStatus  `json:"fill,omitempty"`
	OtherFills []FillStatus `json:"other_fills,omitempty"`
	// Filled are the last few snapshots and backfills that came to their end,
	// oldest first.
	Filled      []FilledStatus `json:"filled,omitempty"`
	DeadLetters uint64         `json:"dead_letters"`
	// DeadLettersUnknown says that they could not be counted.
	DeadLettersUnknown bool `json:"dead_letters_unknown,omitempty"`
	// Unavailable are the instances that wait because something which their handlers
	// need is away, as they say.
	Unavailable []Unavailable `json:"unavailable,omitempty"`
	// WorkersLeftOut, FillsLeftOut and UnavailableLeftOut count what did not fit the
	// reply; the totals hold for all.
	WorkersLeftOut     int `json:"workers_left_out,omitempty"`
	FillsLeftOut       int `json:"fills_left_out,omitempty"`
	UnavailableLeftOut int `json:"unavailable_left_out,omitempty"`
}

// WorkerStatus is one consumer of a lane.
type WorkerStatus struct {
	Consumer string `json:"consumer"`
	// Holder is the instance that works on the consumer's partition, and Next the
	// one that is to have it where that is another; both are empty where there is
	// none, without an order by key, and elsewhere than in describe.
	Holder  string `json:"holder,omitempty"`
	Next    string `json:"next_holder,omitempty"`
	Waiting int    `json:"waiting"`
	Pending uint64 `json:"pending"`
	// AckFloor is the sequence of the lane up to which all copies are acknowledged.
	AckFloor    uint64     `json:"ack_floor"`
	AckPending  int        `json:"ack_pending"`
	Redelivered int        `json:"redelivered"`
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// Missing says that the server does not have the consumer, though the queue
	// does. Pending is then what it is not known to have acknowledged.
	Missing bool `json:"missing,omitempty"`
}

// FillStatus is how far a fill has come.
type FillStatus struct {
	// Kind is FillEvents, FillSnapshot or FillBackfill.
	Kind     string   `json:"kind"`
	Entities []string `json:"entities"`
	// ID is a snapshot's or a backfill's, and Filter the one that a backfill was
	// asked for with.
	ID     string `json:"id,omitempty"`
	Filter string `json:"filter,omitempty"`
	// From, At and To are ingest sequences; 0 where rows are copied.
	From uint64 `json:"from"`
	At   uint64 `json:"at"`
	To   uint64 `json:"to"`
	// Rows is how many rows are dealt with, those that a filter left out included,
	// and After the key of the last such row.
	Rows  uint64 `json:"rows,omitempty"`
	After string `json:"after,omitempty"`
	// Total is about how many rows there are in all, or how many keys the backfill is of; 0
	// where the owner does not say.
	Total uint64 `json:"total,omitempty"`
	// Began is when the rows were asked for.
	Began *time.Time `json:"began,omitempty"`
	// Stalled is why the rows do not come; empty when they do.
	Stalled string `json:"stalled,omitempty"`
}

// Status is the reply of replhub.status.
type Status struct {
	Hub     string    `json:"hub"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Time is the hub's clock.
	Time     time.Time      `json:"time,omitzero"`
	Hubs     []string       `json:"hubs"`
	Ready    bool           `json:"ready"`
	Degraded []string       `json:"degraded"`
	Registry RegistryStatus `json:"registry"`
	Ingest   IngestStatus   `json:"ingest"`
	// Lanes counts lanes by state.
	Lanes map[string]int `json:"lanes"`
	// Erasures are the last erasures, oldest first.
	Erasures []Erasure `json:"erasures,omitempty"`
}

// RegistryStatus is the registry as this hub sees it.
type RegistryStatus struct {
	Kind      string    `json:"kind"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`
	Error     string    `json:"error,omitempty"`
	// Alarms are records that were ignored, put back or refused.
	Alarms []string `json:"alarms,omitempty"`
}

// IngestStatus is the stream that takes every event.
type IngestStatus struct {
	Stream   string  `json:"stream"`
	Epoch    uint64  `json:"epoch"`
	FirstSeq uint64  `json:"first_seq"`
	LastSeq  uint64  `json:"last_seq"`
	Messages uint64  `json:"messages"`
	Bytes    uint64  `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	Fill     float64 `json:"fill"`
	Floor    uint64  `json:"floor"`
	Rate     float64 `json:"events_per_second"`
	// Full is absent while there is room.
	Full *IngestFull `json:"full,omitempty"`
}

// IngestFull is why an ingest that is nearly full is not trimmed.
type IngestFull struct {
	// Since is when it was first seen to be nearly full.
	Since time.Time `json:"since"`
	// By is one of the FullBy constants.
	By string `json:"by"`
	// Service is whose lane needs the oldest events, and Pinned since when that is
	// so without progress; with FullByLane alone.
	Service string     `json:"service,omitempty"`
	Pinned  *time.Time `json:"pinned_since,omitempty"`
	// Message says all of it and what to do, in a sentence.
	Message string `json:"message"`
}

// What keeps a full ingest from being trimmed.
const (
	FullByLane         = "lane"         // a lane has not taken the oldest events
	FullByYoung        = "young"        // they are too young to go
	FullByRegistration = "registration" // one under way starts there
	FullByUnknown      = "unknown"      // where a lane stands cannot be read
	FullByNothing      = "nothing"      // nothing: the next trim makes room
)
