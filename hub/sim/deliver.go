package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// subscription is an inbox for a source's messages.
type subscription struct {
	i    *instance
	conn *process
	core *queue.Scheduler
	// over says that it was ended, and epoch which one of its source it is.
	src   *queue.Source
	epoch int
	over  bool
}

// consumers are the names of a lane's consumers.
func (w *servers) consumers(s service) []string {
	names := w.names[s.text]
	if names == nil {
		names = record.Consumers(w.queueOf(s))
		w.names[s.text] = names
	}
	return names
}

// consumer is a lane's consumer.
func (w *servers) consumer(s service, name string) (*model.Consumer, error) {
	if w.lanes[s.text] == nil {
		return nil, errNoLane
	}
	return w.lanes[s.text].Consumer(name)
}

// everyConsumer calls do with each consumer of a lane that is there.
func (w *servers) everyConsumer(s service, do func(name string, c *model.Consumer)) {
	for _, name := range w.consumers(s) {
		if c, err := w.consumer(s, name); err == nil {
			do(name, c)
		}
	}
}

// flow has the servers send what they can.
func (w *servers) flow() {
	for _, s := range w.services {
		if !w.instanced || w.away[s.text] {
			continue
		}
		w.everyConsumer(s, func(_ string, c *model.Consumer) {
			if c.Waiting() > 0 {
				w.push(c.Send(w.now))
			}
		})
	}
}

// push puts what a server sends on its way.
func (w *servers) push(sent []model.Sent) {
	for _, m := range sent {
		sub, is := m.To.(*subscription)
		if !is || sub.conn.dead || sub.over {
			continue
		}
		w.calls = append(w.calls, &call{from: sub.conn, what: "message", then: func(err error) {
			if err == nil {
				sub.i.take(sub, m)
			}
		}})
	}
}

// uninterested has the servers drop the requests of subscriptions that are over.
func (w *servers) uninterested(over func(*subscription) bool) {
	for _, s := range w.services {
		w.everyConsumer(s, func(_ string, c *model.Consumer) {
			c.Forget(func(to any) bool { sub, is := to.(*subscription); return is && over(sub) })
		})
	}
}

// interrupt has a lane change its leader: requests that wait are ended.
func (w *servers) interrupt(text string) {
	if n := w.service(text); w.instanced && n >= 0 {
		w.everyConsumer(w.services[n], func(_ string, c *model.Consumer) {
			for _, to := range c.Interrupt() {
				w.push([]model.Sent{{To: to, Status: model.StatusGone, Unsent: leaderChanged}})
			}
		})
	}
}

// leaderChanged marks the end of a request by a change of leaders.
const leaderChanged = -2

// syncEvery is how many actions a server may forget of its consumers when it is killed.
const syncEvery = 16

// sync has the servers write what they know of consumers.
func (w *servers) sync() {
	if !w.instanced || w.Counts.Steps%syncEvery > 0 {
		return
	}
	for _, s := range w.services {
		w.everyConsumer(s, func(_ string, c *model.Consumer) { c.Sync() })
	}
}

// killServer has the servers forget what came last of consumers.
func (w *servers) killServer() {
	if w.instanced {
		for _, s := range w.services {
			w.everyConsumer(s, func(_ string, c *model.Consumer) { c.Kill(w.now) })
		}
	}
}

// reconnect loses all connections, with the server.
func (w *World) reconnect() {
	for _, i := range w.members {
		if i.alive {
			i.cut()
		}
	}
}

// unsend loses what a process has sent and what is on its way to it.
func (w *network) unsend(p *process) {
	for _, c := range slices.Clone(w.calls) {
		if c.from == p {
			w.drop(c)
		}
	}
}

// send sends a message that is not answered.
func (i *instance) send(p *process, what string, do func()) {
	i.w.ask(p, i.service.text, what, func() error { do(); return nil }, nil)
}

// subscribe makes an inbox, in place of the one before.
func (i *instance) subscribe(s queue.Subscribe) {
	if s.Source.Owner == nil {
		f := &feed{consumer: contract.ConsumerWorkers}
		if i.ordered {
			f.consumer += fmt.Sprint("-", s.Source.Partition)
		}
		s.Source.Owner = f
	}
	i.send(i.conn, "unsubscribe", func() {
		i.w.uninterested(func(old *subscription) bool {
			old.over = old.over || old.src == s.Source && old.epoch < s.Epoch
			return old.over
		})
	})
}

func consumerOf(src *queue.Source) string {
	return src.Owner.(*feed).consumer //nolint:forcetypeassert // set by subscribe
}

// pullTime is that of pull.go.
const pullTime = 1500 * ms

// pull sends a request for messages.
func (i *instance) pull(p queue.Pull) {
	if i.ordered && !i.core.Refresh(&p) {
		return
	}
	name := consumerOf(p.Source)
	sub := &subscription{i: i, conn: i.conn, core: i.core, src: p.Source, epoch: p.Epoch}
	i.send(i.conn, "pull", func() {
		if sub.conn.dead {
			return
		}
		c, err := i.w.consumer(i.service, name)
		if err != nil {
			i.w.push([]model.Sent{{To: sub, Status: model.StatusGone, Unsent: -1}}) // no responders
			return
		}
		i.w.trace("  %s: asks %s for %d, pin %q", i.name, name, p.Batch, p.Pin)
		i.w.push(c.Ask(model.Request{To: sub, Batch: p.Batch, Expires: i.w.now.Add(pullTime), Pin: p.Pin}, i.w.now))
	})
}

// delivery is a message in an instance's hands.
type delivery struct {
	queue.Job

	event   *stored
	headers headers
	feed    *feed
}

func deliveryOf(j *queue.Job) *delivery {
	return j.Owner.(*delivery) //nolint:forcetypeassert // set by take
}

// take takes what the server sent.
func (i *instance) take(sub *subscription, m model.Sent) {
	if i.core != sub.core {
		return
	}
	now := i.w.now
	switch {
	case m.Status == model.StatusTimeout:
		i.core.PullEnded(now, sub.src, sub.epoch, queue.PullOver, m.Unsent)
	case m.Status == model.StatusPinned:
		i.core.PullEnded(now, sub.src, sub.epoch, queue.PullUnpinned, m.Unsent)
	case m.Unsent == leaderChanged:
		i.core.PullEnded(now, sub.src, sub.epoch, queue.PullInterrupted, -1)
	case m.Status == model.StatusGone:
		i.core.PullEnded(now, sub.src, sub.epoch, queue.PullNoConsumer, -1)
	default:
		i.deliver(sub, m)
	}
	i.perform()
}

func (i *instance) deliver(sub *subscription, m model.Sent) {
	h, _ := m.Value.(headers)
	e, _ := i.w.judge.eventOf(h)
	if e == nil {
		i.w.judge.fail("P: %s got no copy: %d %s", i.name, m.Seq, m.Subject)
		return
	}
	i.w.took++
	i.taken[m.Seq] = i.w.took
	if i.w.Counts.Deliveries++; m.Delivered > 1 {
		i.w.Counts.Redelivered++
	}
	d := &delivery{event: e, headers: h, feed: sub.src.Owner.(*feed)} //nolint:forcetypeassert // set by subscribe
	d.Job = queue.Job{
		Row: queue.Row{Entity: e.event.entity, Key: head(h[contract.HeaderKey])}, Seq: m.Seq, Delivered: int(m.Delivered), Size: 1,
		Reply: fmt.Sprint(consumerOf(sub.src), " ", m.Seq, " ", m.ConsumerSeq, " ", m.Tag), Owner: d,
	}
	at := queue.Place{Epoch: sub.epoch, Seq: m.ConsumerSeq, Pin: m.Pin}
	i.w.trace("  %s: takes %d (event %d, row %s), delivery %d, place %d, %s", i.name, m.Seq, e.index, d.Row, d.Delivered, at.Seq, at.Pin)
	if i.w.cfg.Flaw == GapsUnseen {
		d.feed.places++
		at.Seq = d.feed.places
	}
	i.core.Delivered(i.w.now, sub.src, &d.Job, at)
}

func head(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// acknowledge sends an acknowledgement to the subject of a delivery.
func (i *instance) acknowledge(kind queue.AckKind, reply string) {
	var name, tag string
	var seq, place uint64
	if _, err := fmt.Sscan(reply, &name, &seq, &place, &tag); err != nil {
		panic(err)
	}
	i.ackOf(kind, name, seq, place, tag)
}

// ackOf sends an acknowledgement of a sequence. tag is that of the consumer that delivered
// it; empty if that is not known.
func (i *instance) ackOf(kind queue.AckKind, name string, seq, place uint64, tag string) {
	w := i.w
	i.send(i.acks, "ack", func() {
		c, err := w.consumer(i.service, name)
		if err != nil {
			return
		}
		switch kind {
		case queue.AckDone:
			// The server does not tell a delivery from before a rewind from one since: a late
			// acknowledgement settles the copy that was given out again.
			if c.Ack(seq) && tag != "" && tag != c.Config().Tag {
				delete(w.judge.again, copyIn{w.service(i.service.text), seq})
			}
		case queue.AckNak:
			c.NakOf(seq, place, 0, w.now)
		case queue.AckProgress:
			c.Progress(seq, w.now)
		}
	})
}

// settle acknowledges or gives back deliveries by their sequences.
func (i *instance) settle(s queue.Settle) {
	name := consumerOf(s.Source)
	i.w.trace("  %s: settles %v of %s, calls for %v", i.name, s.Done, name, s.Nak)
	for _, seq := range s.Done {
		i.ackOf(queue.AckDone, name, seq, s.Consumer, i.tags[name])
	}
	for _, seq := range s.Nak {
		i.ackOf(queue.AckNak, name, seq, s.Consumer, "")
	}
}

// ask asks the server about a consumer.
func (i *instance) ask(req queue.InfoRequest) {
	name, core := consumerOf(req.Source), i.core
	var info *queue.Info
	var tag string
	i.w.ask(i.asking, i.service.text, "info", func() error {
		c, err := i.w.consumer(i.service, name)
		if err == nil {
			info, tag = infoOf(c), c.Config().Tag
			if i.w.cfg.Flaw == OthersUncounted {
				info.Unacknowledged = 0
			}
		}
		return err
	}, func(err error) {
		if core != i.core {
			return
		}
		switch {
		case noConsumer(err):
			info = &queue.Info{Gone: true}
		case err != nil:
			info = nil
		}
		if info != nil && !info.Gone {
			i.tags[name] = tag
		}
		i.core.ConsumerInfo(i.w.now, req, info)
		i.perform()
	})
}

// noConsumer reports whether the server said that a consumer, or its lane, does not exist.
func noConsumer(err error) bool {
	refused, is := errors.AsType[*model.Error](err)
	return errors.Is(err, errNoLane) || is && refused.Code == model.CodeConsumerNotFound
}

func infoOf(c *model.Consumer) *queue.Info {
	at, cfg := c.Info(), c.Config()
	return &queue.Info{
		Created: at.Created, AckFloor: at.AckFloor.Stream, Start: cfg.Start, Delivered: at.Delivered.Stream, DeliveredSeq: at.Delivered.Consumer,
		Unacknowledged: at.AckPending, MaxUnacknowledged: cfg.MaxAckPending, Undelivered: at.Pending,
	}
}

// onQueue takes an action on a service's work queue.
func (w *World) onQueue(a Action) {
	if a.Verb == Poison {
		w.publish(a.N)
		w.judge.events[len(w.judge.events)-1].poison = w.instanced
		return
	}
	n := w.service(a.On)
	if n < 0 || w.lanes[a.On] == nil || w.lanes[a.On].Info().Last == 0 {
		return
	}
	s := w.services[n]
	names := w.consumers(s)
	switch name := names[a.N%len(names)]; a.Verb { //nolint:exhaustive // World.Do takes the others
	case Consume:
		w.consume(a.On)
	case Unpin:
		if c, err := w.consumer(s, name); err == nil {
			c.Unpin()
		}
	case Unconsume:
		if c, err := w.consumer(s, name); err == nil {
			w.push(c.End())
			_ = w.lanes[s.text].DeleteConsumer(name) // it is there
			w.judge.recreated[s.text]++
		}
	}
}

// registered reports whether a service's registration was in force once.
func (w *World) registered(s service) bool { _, was := w.judge.states[s.text]; return was }
