package replhub

import (
	"context"
	"slices"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// Acknowledgements, as the server takes them.
const (
	ackDone     = "+ACK"
	ackNak      = "-NAK"
	ackProgress = "+WPI"
)

// redriveTime bounds a request to redrive dead letters.
const redriveTime = 10 * time.Second

// perform executes the scheduler's outputs. The lock is not held.
func (d *driver) perform(r *queue.Ready) {
	if r == nil {
		return
	}
	d.resubscribe(r)
	for _, a := range r.Acks {
		d.s.respond(a.Reply, ackText(a.Kind))
	}
	for _, settle := range r.Settle {
		d.settle(settle)
	}
	for _, req := range r.Infos {
		go d.ask(req)
	}
	for _, p := range r.Pulls {
		d.pull(p)
	}
	for _, src := range r.Freed {
		close(intakeOf(src).freed)
	}
	if len(r.Redrive) > 0 {
		go d.redrive(r.Redrive)
	}
	d.tell(r)
	if r.QueuesChanged {
		d.stop(errReplan)
	}
	if r.Rescheduled {
		select {
		case d.rescheduled <- struct{}{}:
		default:
		}
	}
}

// resubscribe ends the intakes of closed sources and begins the requested ones.
func (d *driver) resubscribe(r *queue.Ready) {
	if len(r.Unsubscribe)+len(r.Subscribe) == 0 {
		return
	}
	waiting := ending(r)
	for _, src := range r.Unsubscribe {
		in := intakeOf(src)
		in.end()
		if slices.Contains(waiting, src) {
			go d.letGo(in)
		} else {
			in.cancel()
		}
	}
	for _, sub := range r.Subscribe {
		if err := intakeOf(sub.Source).begin(sub.Epoch); err != nil {
			d.stop(err)
		}
	}
}

// tell logs the outputs that an operator should know, and reports them to the hub.
func (d *driver) tell(r *queue.Ready) {
	log := d.s.client.log
	for _, o := range r.Outages {
		d.s.tell(o)
	}
	for _, c := range r.Crowded {
		log.Warn("a work queue is full of events that wait for other rows: some become dead letters, and are redriven when the others are applied",
			"service", d.s.client.Service(), "consumer", intakeOf(c.Source).consumer, "waiting", c.Waiting)
	}
	if r.StoodStill > 0 {
		log.Warn("this instance stood still, or was cut off; it drops the copies that it has not begun",
			"service", d.s.client.Service(), "silent_for", r.StoodStill.Round(time.Millisecond).String())
	}
}

// settle acknowledges or gives back deliveries by their sequences.
func (d *driver) settle(settle queue.Settle) {
	consumer := intakeOf(settle.Source).consumer
	for _, seq := range settle.Done {
		d.s.respond(ackSubject(d.s.stream, consumer, seq, settle.Consumer), ackDone)
	}
	for _, seq := range settle.Nak {
		d.s.respond(ackSubject(d.s.stream, consumer, seq, settle.Consumer), ackNak)
	}
}

// ask asks the server about a consumer.
func (d *driver) ask(req queue.InfoRequest) {
	defer d.tasks.Done()
	in := intakeOf(req.Source)
	info, err := d.s.info(in.ctx, in.consumer)
	if err != nil && in.ctx.Err() == nil {
		d.s.client.log.Debug("look at a work queue", "consumer", in.consumer, "err", err)
	}
	d.step(func(now time.Time) { d.core.ConsumerInfo(now, req, schedulerInfo(info, err)) })
}

// letGo waits for the handlers of a closed source, cancels those that take longer
// than the drain timeout, and then reports to the hub that the partition is free.
func (d *driver) letGo(in *intake) {
	defer d.tasks.Done()
	defer in.cancel()
	timer := time.NewTimer(d.s.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-in.freed:
	case <-in.ctx.Done():
	case <-timer.C:
		in.cancel()
		select {
		case <-in.freed:
		case <-d.ended:
		}
	}
	select {
	case d.freed <- struct{}{}:
	default:
	}
}

// redrive has the hub put dead letters back into the lane.
func (d *driver) redrive(letters []uint64) {
	defer d.tasks.Done()
	asking, cancel := context.WithTimeout(d.serving, redriveTime)
	defer cancel()
	var reply contract.Redriven
	err := d.s.client.ask(asking, contract.VerbRedrive, contract.Redrive{Seqs: letters}, &reply)
	if err != nil && d.serving.Err() == nil {
		d.s.client.log.Warn("redrive events that waited for other rows; trying again",
			"service", d.s.client.Service(), "letters", len(letters), "err", err)
	}
	d.step(func(now time.Time) { d.core.Redriven(now, letters, err != nil, reply.More, reply.Next) })
}

// respond sends an acknowledgement. If it is lost, or the connection is closed, the
// server delivers the event again.
func (s *Subscriber) respond(reply, ack string) {
	_ = s.client.nc.Publish(reply, []byte(ack))
}

func ackText(kind queue.AckKind) string {
	switch kind {
	case queue.AckNak:
		return ackNak
	case queue.AckProgress:
		return ackProgress
	case queue.AckDone:
	}
	return ackDone
}
