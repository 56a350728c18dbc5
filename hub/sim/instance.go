package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

// instanceCount is how many instances a service has.
const instanceCount = 2

// Bits of the number of the action Instances: services whose lanes are ordered by key,
// services whose handlers take batches, and services that hold the row of a dead letter.
const (
	orderedBits = 1 << iota
	_
	batchBits
	_
	holdBits
	_
	instanceBits
)

// has reports whether a service's bit is set.
func (w *servers) has(service, bits int) bool { return w.instanced && w.kinds&(bits<<service) != 0 }

// partitionCount is how many partitions a lane that is ordered by key has.
const partitionCount = 2

// queueOf is the queue of a service.
func (w *servers) queueOf(s service) contract.Queue {
	q := record.DefaultQueue()
	if w.has(w.service(s.text), orderedBits) {
		q.Order, q.Partitions = record.OrderKey, partitionCount
	}
	return q
}

// instance is a process of a service that handles events as the SDK does: it runs the
// SDK's scheduler, and does what the SDK's driver does (driver.go, perform.go).
type instance struct {
	w       *World
	index   int // of its service
	service service
	ordered bool
	name    string
	// id is that of this start of the process.
	id            string
	alive, frozen bool
	// conn carries requests for messages, and what the server sends; acks the
	// acknowledgements, which the server takes on another goroutine; asking the
	// requests that are answered.
	conn, acks, asking *process

	core    *queue.Scheduler // nil until the queues are known
	created time.Time        // of the consumers, as far as this instance knows
	looking bool
	lookAt  time.Time // the next time
	// ending says that the queues have changed: the scheduler is drained, and another
	// one begins when the last handler has ended.
	ending  bool
	leaving bool
	running []*attempt
	// taken is the number of the last delivery of a copy, by the copy's sequence. The
	// number counts the deliveries to all instances.
	taken map[uint64]int
	// tags are those of the consumers that the last answers about consumers were of, by name.
	tags map[string]string
	// lost says that the connection was lost while the process was frozen.
	lost bool
	// hub is the hub that takes this instance's requests, if that hub lives.
	hub int
	membership
}

// instances begins the simulation of instances, in place of plain workers.
func (w *World) instances(kinds int) {
	if w.instanced || len(w.lanes) > 0 {
		return
	}
	w.instanced, w.kinds = true, kinds
	clear(w.names)
	for i, s := range w.services {
		for n := range instanceCount {
			in := &instance{w: w, index: i, service: s, ordered: w.has(i, orderedBits), name: fmt.Sprint(s.text, n+1)}
			in.boot()
			w.members = append(w.members, in)
		}
	}
}

// boot starts the process.
func (i *instance) boot() {
	*i = instance{w: i.w, index: i.index, service: i.service, ordered: i.ordered, name: i.name, alive: true, taken: make(map[uint64]int), tags: make(map[string]string)}
	i.id = i.w.name(i.name + "-")
	i.conn = &process{name: i.name, instance: i}
	i.acks = &process{name: i.name + ".ack", instance: i}
	i.asking = &process{name: i.name + ".ask", instance: i}
}

// onInstance takes an action on an instance; false where it names none.
func (w *World) onInstance(a Action) bool {
	n := slices.IndexFunc(w.members, func(i *instance) bool { return i.name == a.On })
	if n < 0 {
		return false
	}
	i := w.members[n]
	switch {
	case a.Verb == Start && !i.alive:
		i.boot()
	case a.Verb == Thaw && i.frozen:
		i.frozen = false
		if i.lost {
			i.lost = false
			i.reconnected()
		}
	case i.alive && !i.frozen:
		i.act(a)
	}
	return true
}

func (i *instance) act(a Action) {
	switch a.Verb { //nolint:exhaustive // an instance has no others
	case Kill:
		i.kill(a.N == 1)
	case Freeze:
		i.frozen = true
	case Cut:
		i.cut()
	case Leave:
		i.leave()
	case Due:
		i.due()
	case Join:
		i.hub = a.N
		i.join(a.N)
	case Begin:
		i.begin()
	case Handle:
		i.handle(a.N)
	case Go:
		i.goOn(a.N)
	}
}

// kill ends the process. If its machine is lost too, the server still treats its
// subscriptions as live, and messages that were not sent yet are lost.
func (i *instance) kill(machine bool) {
	i.alive = false
	for _, p := range []*process{i.conn, i.acks, i.asking} {
		i.w.end(p)
		if machine {
			i.w.unsend(p)
		}
	}
	if !machine {
		i.w.uninterested(func(sub *subscription) bool { return sub.conn == i.conn })
	}
}

// cut loses the connection, which comes back at once. What is on its way is lost.
func (i *instance) cut() {
	for _, p := range []*process{i.conn, i.acks} {
		i.w.unsend(p)
	}
	for _, c := range slices.Clone(i.w.calls) {
		if c.from == i.asking {
			c.serve = nil
			i.w.lose(c)
		}
	}
	i.w.uninterested(func(sub *subscription) bool { return sub.conn == i.conn })
	if i.frozen {
		i.lost = true
		return
	}
	i.reconnected()
}

func (i *instance) reconnected() {
	if i.core != nil {
		i.core.Reconnected(i.w.now)
		i.perform()
	}
}

// leave ends the process in good order: the handlers under way end first.
func (i *instance) leave() {
	i.leaving = true
	i.drain()
}

// drain ends the intake. The instance looks at its queues again, or ends, when the last
// handler has ended.
func (i *instance) drain() {
	if i.ending {
		return
	}
	if i.ending = true; i.core != nil {
		i.core.Drain(i.w.now)
		i.perform()
	}
	i.drained()
}

func (i *instance) drained() {
	if !i.ending || len(i.running) > 0 {
		return
	}
	if i.ordered && i.core != nil && i.leaving {
		i.farewell()
	}
	i.core, i.ending = nil, false
	i.membership = membership{}
	if i.leaving {
		i.kill(false)
	}
}

// due is the driver's timer.
func (i *instance) due() {
	switch {
	case i.core == nil:
		i.look()
	case !i.w.now.Before(i.core.Next()):
		i.core.Tick(i.w.now)
		i.perform()
	}
}

// lookPause is the time between looks for queues that do not exist yet.
const lookPause = 500 * ms

// look asks for the queues, and begins to work on them.
func (i *instance) look() {
	if i.looking || i.leaving || i.w.now.Before(i.lookAt) {
		return
	}
	i.looking = true
	var created time.Time
	i.w.ask(i.asking, i.service.text, "look", func() error {
		c, err := i.w.consumer(i.service, i.w.consumers(i.service)[0])
		if err == nil {
			created = c.Info().Created
		}
		return err
	}, func(err error) {
		i.looking, i.lookAt = false, i.w.now.Add(lookPause)
		if err != nil || i.leaving {
			return
		}
		i.created = created
		i.core = queue.New(i.w.now, i.config())
		i.membership = membership{leaseFrom: i.w.now}
		if !i.ordered {
			i.core.Open(i.w.now, i.created)
		}
		i.perform()
	})
}

// config has lower bounds than a real service, so that runs reach every bound.
func (i *instance) config() queue.Config {
	pause := func(n int) time.Duration { return time.Duration(min(n, 10)) * 100 * time.Millisecond }
	c := queue.Config{
		Ordered: i.ordered, Workers: 2, MaxInFlight: 12, MaxBatch: 1, MaxAttempts: maxAttempts, MaxBackoff: 2 * time.Second,
		MaxWait: 20 * time.Second, HoldKey: i.w.has(i.index, holdBits), AckWait: ackWait, Backoff: pause, ProbePause: pause,
	}
	if i.w.has(i.index, batchBits) {
		c.Batches, c.MaxBatch = true, 4
	}
	return c
}

const maxAttempts = 3

// feed is what an instance has for a source of its scheduler.
type feed struct {
	consumer string
	ended    bool   // its intake
	places   uint64 // for a flaw: the deliveries
}

// perform performs the outputs of the scheduler, as the SDK's driver does.
func (i *instance) perform() {
	r := i.core.Ready()
	if r == nil {
		return
	}
	for _, src := range r.Unsubscribe {
		src.Owner.(*feed).ended = true //nolint:forcetypeassert // set below
	}
	for _, sub := range r.Subscribe {
		i.subscribe(sub)
	}
	for _, a := range r.Acks {
		i.acknowledge(a.Kind, a.Reply)
	}
	for _, s := range r.Settle {
		i.settle(s)
	}
	for _, req := range r.Infos {
		i.ask(req)
	}
	for _, p := range r.Pulls {
		i.pull(p)
	}
	for range r.Freed {
		i.joinAt = i.w.now // the hub is told at once
	}
	if r.StoodStill > 0 {
		i.w.trace("  %s: stood still for %s", i.name, r.StoodStill)
	}
	if r.QueuesChanged {
		i.drain()
	}
}

// slowHandlers, in the number of the action Go, has no handler go on meanwhile.
const slowHandlers = 100

// goOn has an instance do what a process does in a moment, n times.
func (i *instance) goOn(n int) {
	for range n % slowHandlers {
		i.w.now = i.w.now.Add(time.Millisecond)
		if !i.alive {
			return
		}
		i.join(i.hub)
		i.due()
		for _, p := range []*process{i.conn, i.acks, i.asking} {
			i.w.onCall(p.name, (*call).servable, i.w.serve)
			i.w.flow()
			i.w.onCall(p.name, (*call).tellable, i.w.tell)
		}
		if n < slowHandlers {
			i.handle(handled)
		}
		i.begin()
	}
}
