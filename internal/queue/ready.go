package queue

import "time"

// Ready holds the outputs that the driver performs after an input, in the order of
// the fields, and without the lock that serialises the inputs.
type Ready struct {
	// Unsubscribe are sources that take no more messages. The driver must still report
	// messages on their way with Delivered, which gives them back.
	Unsubscribe []*Source
	// Subscribe are sources that need a subscription on a new inbox, in place of the
	// one before.
	Subscribe []Subscribe
	// Acks are acknowledgements to send to the subjects of deliveries.
	Acks []Ack
	// Settle are deliveries to settle by their sequences, because this instance may not
	// have their messages.
	Settle []Settle
	// Infos are consumers to ask the server about; the answer goes to ConsumerInfo.
	Infos []InfoRequest
	// Pulls are requests for messages.
	Pulls []Pull
	// Freed are sources whose last handler has ended after they were closed.
	Freed []*Source
	// Redrive are dead letters to redrive; the answer goes to Redriven.
	Redrive []uint64
	// Outages are outages to show by State. The driver also logs and reports the begin
	// and the end of each.
	Outages []Outage
	// Crowded are queues whose waiting events make room. The driver logs them.
	Crowded []Crowded
	// StoodStill is how long this instance had no answer from a hub, if that was longer
	// than the lease and so the jobs that had not begun were discarded. The driver logs
	// it. Otherwise it is zero.
	StoodStill time.Duration
	// QueuesChanged says that the consumer is not the one that this scheduler was
	// made for.
	QueuesChanged bool
	// Rescheduled says that Next may be earlier than before.
	Rescheduled bool
}

// Subscribe asks for a subscription. Epoch counts a source's subscriptions; the
// driver reports messages with the epoch of their subscription.
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
	AckDone     AckKind = iota // the delivery is settled
	AckNak                     // deliver it again
	AckProgress                // a worker still works on the delivery
)

// Settle are deliveries of a consumer by their sequences in the lane: Done were
// handled here, and Nak are to be delivered again.
type Settle struct {
	Source    *Source
	Done, Nak []uint64
	// Consumer is a consumer sequence that the consumer has given out.
	Consumer uint64
}

// Pull is a request for messages.
type Pull struct {
	Source *Source
	Epoch  int
	Batch  int
	// Pin proves that this instance has the partition; empty for none.
	Pin string
}

// Outage reports the begin, the progress or the end of an outage.
type Outage struct {
	Phase    OutagePhase
	Since    time.Time
	Attempts int // attempts that were answered with the outage so far
	Err      error
}

// OutagePhase says which part of an outage is reported.
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

// outputs collect the next Ready.
type outputs struct{ out *Ready }

// Ready returns the outputs since it was last called; nil for none.
func (o *outputs) Ready() *Ready {
	r := o.out
	o.out = nil
	return r
}

// todo returns the Ready to which outputs are added.
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

// subscribe makes a source take messages on a new inbox. Messages to the old inbox do
// not prove which instance has the partition now.
func (o *outputs) subscribe(src *Source) {
	src.epoch++
	out := o.todo()
	out.Subscribe = append(out.Subscribe, Subscribe{Source: src, Epoch: src.epoch})
}

func (o *outputs) tell(phase OutagePhase, was outage) {
	out := o.todo()
	out.Outages = append(out.Outages, Outage{Phase: phase, Since: was.since, Attempts: was.attempts, Err: was.err})
}
