package queue

import "time"

// Ready is what the driver is to do after an input, in the order of the fields, and
// without the lock that serialises the inputs.
type Ready struct {
	// Unsubscribe are sources that take nothing more. Messages on their way to them
	// are still to be reported with Delivered, which gives them back.
	Unsubscribe []*Source
	// Subscribe are sources that need a subscription on a new inbox, in place of the
	// one before.
	Subscribe []Subscribe
	// Acks are acknowledgements to send to the subjects of deliveries.
	Acks []Ack
	// Settle are deliveries to settle of which this instance may have no message.
	Settle []Settle
	// Infos are consumers to ask the server about; the answer goes to ConsumerInfo.
	Infos []InfoRequest
	// Pulls are requests for messages.
	Pulls []Pull
	// Freed are sources whose last handler has ended after they were closed.
	Freed []*Source
	// Redrive are dead letters to have redriven; the answer goes to Redriven.
	Redrive []uint64
	// Outages are to be shown, and told at either end.
	Outages []Outage
	// Crowded are queues of which waiting events give their places up; to be logged.
	Crowded []Crowded
	// StoodStill is how long this instance was without a word from a hub, where that
	// was too long, so that what had not begun was discarded; to be logged.
	StoodStill time.Duration
	// QueuesChanged: the consumer is not the one that this scheduler was made for.
	QueuesChanged bool
	// Rescheduled: Next may be earlier than it was.
	Rescheduled bool
}

// Subscribe asks for a subscription. Epoch counts a source's subscriptions: what
// comes on it is reported with that number.
type Subscribe struct {
	Source *Source
	Epoch  int
}

// Ack is an acknowledgement.
type Ack struct {
	Reply string
	Kind  AckKind
}

// AckKind is what an acknowledgement says.
type AckKind uint8

// Acknowledgements.
const (
	AckDone     AckKind = iota // it is settled
	AckNak                     // deliver it again
	AckProgress                // it is still in work
)

// Settle are deliveries of a consumer by their sequences in the lane: Done were
// handled here, and Nak are to be delivered again.
type Settle struct {
	Source    *Source
	Done, Nak []uint64
	// Consumer is a sequence that the consumer has given out.
	Consumer uint64
}

// Pull is a request for messages.
type Pull struct {
	Source *Source
	Epoch  int
	Batch  int
	// Pin proves that the partition is ours; empty for none.
	Pin string
}

// Outage is a change in what the scheduler knows about an outage.
type Outage struct {
	Phase    OutagePhase
	Since    time.Time
	Attempts int // answered so, until now
	Err      error
}

// OutagePhase says what of an outage is news.
type OutagePhase uint8

// Phases of an outage.
const (
	OutageBegins OutagePhase = iota
	OutageLasts              // once a second
	OutageEnds
)

// Crowded is a queue that waiting events have filled up.
type Crowded struct {
	Source  *Source
	Waiting int
}

// outputs collect what is to be done.
type outputs struct{ out *Ready }

// Ready returns what is to be done since it was called last; nil for nothing.
func (o *outputs) Ready() *Ready {
	r := o.out
	o.out = nil
	return r
}

// todo is where outputs are added.
func (o *outputs) todo() *Ready {
	if o.out == nil {
		o.out = &Ready{}
	}
	return o.out
}

func (o *outputs) ack(kind AckKind, replies ...string) {
	if len(replies) == 0 {
		return
	}
	out := o.todo()
	for _, reply := range replies {
		out.Acks = append(out.Acks, Ack{Reply: reply, Kind: kind})
	}
}

func (o *outputs) reschedule() { o.todo().Rescheduled = true }

func (o *outputs) askInfo(req InfoRequest) {
	out := o.todo()
	out.Infos = append(out.Infos, req)
}

// subscribe has a source take messages on a new inbox. What was sent to the one
// before says nothing of whose the partition is now.
func (o *outputs) subscribe(src *Source) {
	src.epoch++
	out := o.todo()
	out.Subscribe = append(out.Subscribe, Subscribe{Source: src, Epoch: src.epoch})
}

func (o *outputs) tell(phase OutagePhase, was outage) {
	out := o.todo()
	out.Outages = append(out.Outages, Outage{Phase: phase, Since: was.since, Attempts: was.attempts, Err: was.err})
}
