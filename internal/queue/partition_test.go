package queue

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

var seeds = flag.Uint64("seeds", 40, "how many worlds TestPartitionsKeepTheirOrder has")

// Two instances share a partition of a modelled server. They are stopped and go on,
// lose connections, acknowledgements and answers; the partition goes to and fro; the
// hub is away; the server is killed and has forgotten what came last. No event begins
// before all events of its row before it were handled by somebody; none that was there
// before its instance stood still for too long; none while the other instance is at
// work on its row, unless that one stands still. And all are handled.
func TestPartitionsKeepTheirOrder(t *testing.T) {
	for seed := range *seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { newShared(t, seed).run() })
	}
}

// packet is a message of the server to an instance.
type packet struct {
	epoch int
	// The end of a pull.
	ends   bool
	end    PullEnd
	unsent int
	// A copy.
	seq   uint64
	key   string
	times int
	at    uint64
	pin   string
}

// instance is a scheduler with what a driver has, over a connection that takes time.
type instance struct {
	w       *shared
	name    string
	s       *Scheduler
	src     *Source
	in      []packet      // from the server
	out     []func()      // to the server
	asks    []InfoRequest // questions about the consumer under way
	infos   []answer      // on their way
	running []*Batch
	stopped time.Time // until when the process is
	lapsed  time.Time // when its lease was over last
	taken   map[uint64]time.Time
	joinAt  time.Time
	asked   *joinModel
	leased  time.Time // from when its lease counts
	unheard time.Time // until when a frozen hub swallows its requests
}

// answer is what the server says of the consumer, and when that arrives.
type answer struct {
	at  time.Time
	req InfoRequest
	is  *Info
}

// joinModel is a question to the hub that is under way.
type joinModel struct {
	sent, answered time.Time
	assigned       []int
	lost           bool // the server knows no hub
	silent         bool // a frozen hub took it
}

func (i *instance) receive(p packet) { i.in = append(i.in, p) }

// shared is a world of two instances.
type shared struct {
	t          *testing.T
	r          *rand.Rand
	seed       uint64
	start, now time.Time
	server     *consumerModel
	hub        hubModel
	hubAway    time.Time
	instances  []*instance
	handled    map[uint64]bool
	log        []string
}

const (
	sharedEvents = 300
	sharedStep   = 10 * time.Millisecond
	sharedFaults = 40 * time.Second // after that, all is well
	sharedEnd    = 3 * time.Minute
)

func newShared(t *testing.T, seed uint64) *shared {
	t.Helper()
	start := time.Unix(1_000_000, 0)
	w := &shared{
		t: t, r: rand.New(rand.NewPCG(seed, 11)), seed: seed, start: start, now: start, server: newConsumerModel(start), handled: map[uint64]bool{},
		hub: hubModel{heard: map[*instance]time.Time{}},
	}
	for _, name := range []string{"a", "b"} {
		i := &instance{w: w, name: name, leased: start, taken: map[uint64]time.Time{}, s: New(start, Config{
			Ordered: true, Workers: 3, MaxInFlight: 64, MaxBatch: 4, Batches: true, MaxAttempts: 1000, MaxWait: time.Hour, AckWait: modelAckWait,
			Backoff:    func(n int) time.Duration { return time.Duration(min(n, 10)) * 20 * time.Millisecond },
			ProbePause: func(n int) time.Duration { return time.Duration(min(n, 10)) * 50 * time.Millisecond },
		})}
		w.instances = append(w.instances, i)
		w.hub.heard[i] = start
	}
	w.hub.target = w.instances[0]
	return w
}

func (w *shared) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%8s ", w.now.Sub(w.start))+fmt.Sprintf(format, args...))
}

func (w *shared) fail(format string, args ...any) {
	w.t.Helper()
	from := max(len(w.log)-60, 0)
	for _, line := range w.log[from:] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func (w *shared) chance(n int) bool { return w.r.IntN(n) == 0 }

func (w *shared) run() {
	for round := 0; len(w.handled) < sharedEvents || len(w.server.state.times) > 0; round++ {
		w.now = w.now.Add(sharedStep)
		if w.now.Sub(w.start) > sharedEnd {
			w.fail("%d of %d events were handled, %d are unacknowledged", len(w.handled), sharedEvents, len(w.server.state.times))
		}
		if w.now.Sub(w.start) < sharedFaults {
			w.fault()
		}
		if n := len(w.server.keys); n < sharedEvents && w.chance(30) {
			for range min(w.r.IntN(8), sharedEvents-n) {
				w.server.keys = append(w.server.keys, "k"+strconv.Itoa(w.r.IntN(4)))
			}
		}
		w.server.tick(w.now, round%10 == 0)
		for _, i := range w.instances {
			if w.now.Sub(i.leased) > modelTTL {
				i.lapsed = w.now
			}
			i.step()
		}
	}
}

// fault has something go wrong now and then.
func (w *shared) fault() {
	i := w.instances[w.r.IntN(len(w.instances))]
	switch w.r.IntN(340) {
	case 0:
		w.hub.target, w.hub.told = i, false
		w.note("the partition goes to %s", i.name)
	case 1:
		i.disconnect()
	case 2:
		if w.now.Before(i.stopped) {
			return
		}
		d := time.Duration(w.r.IntN(8000)) * time.Millisecond
		if i.stopped = w.now.Add(d); d > modelTTL {
			i.lapsed = w.now
		}
		w.note("%s stands still until %s", i.name, i.stopped.Sub(w.start))
	case 3:
		if w.chance(2) {
			w.note("the server is killed")
			w.server.kill(w.r.IntN(3))
			for _, i := range w.instances {
				i.disconnect()
			}
		}
	case 4:
		if w.chance(3) {
			w.hubAway = w.now.Add(time.Duration(w.r.IntN(5000)) * time.Millisecond)
			w.note("no hub until %s", w.hubAway.Sub(w.start))
		}
	case 5:
		w.server.pin = ""
		w.note("the pin is lost")
	case 6:
		i.in = i.in[:w.r.IntN(len(i.in)+1)]
		w.note("%s loses messages", i.name)
	case 7:
		i.unheard = w.now.Add(time.Duration(w.r.IntN(8000)) * time.Millisecond)
		w.note("no hub hears %s until %s", i.name, i.unheard.Sub(w.start))
	}
}

// disconnect loses what is under way on a connection, which comes back.
func (i *instance) disconnect() {
	i.w.note("%s reconnects", i.name)
	i.in, i.out = nil, nil
	for k := range i.infos {
		i.infos[k].is = nil
	}
	for _, req := range i.asks { // they have no answer in time
		i.infos = append(i.infos, answer{at: i.w.now.Add(time.Second), req: req})
	}
	i.asks = nil
	i.w.server.waiting = slices.DeleteFunc(i.w.server.waiting, func(p waitingPull) bool { return p.to == i })
	i.out = append(i.out, nil) // the reconnect is noticed in order
}

// step has an instance do what a process does in a moment.
func (i *instance) step() {
	if i.w.now.Before(i.stopped) {
		return
	}
	// In no order: a process that goes on may take a message, finish a handler or look
	// at its lease first.
	for _, do := range i.w.r.Perm(5) {
		switch do {
		case 0:
			i.take()
		case 1:
			i.send()
		case 2:
			i.join()
		case 3:
			i.s.Tick(i.w.now)
			i.perform()
		case 4:
			i.work()
		}
	}
	i.infos = slices.DeleteFunc(i.infos, func(a answer) bool {
		if i.w.now.Before(a.at) {
			return false
		}
		i.s.ConsumerInfo(i.w.now, a.req, a.is)
		return true
	})
	i.perform()
}

// take takes some of what the server has sent.
func (i *instance) take() {
	for n := i.w.r.IntN(20); n > 0 && len(i.in) > 0; n-- {
		p := i.in[0]
		i.in = i.in[1:]
		switch {
		case i.src == nil:
		case p.ends:
			i.s.PullEnded(i.w.now, i.src, p.epoch, p.end, p.unsent)
		default:
			i.w.note("%s takes %d (%s), delivery %d, consumer %d, %s", i.name, p.seq, p.key, p.times, p.at, p.pin)
			j := &Job{Row: Row{"user", p.key}, Seq: p.seq, Delivered: p.times, Size: 1, Reply: strconv.FormatUint(p.seq, 10)}
			i.taken[p.seq] = i.w.now
			i.s.Delivered(i.w.now, i.src, j, Place{Epoch: p.epoch, Seq: p.at, Pin: p.pin})
		}
		i.perform()
	}
}

// send has the server take some of what was sent.
func (i *instance) send() {
	for n := i.w.r.IntN(20); n > 0 && len(i.out) > 0; n-- {
		do := i.out[0]
		i.out = i.out[1:]
		if do == nil {
			i.s.Reconnected(i.w.now)
			i.perform()
			continue
		}
		do()
	}
}

// join speaks to the hub.
func (i *instance) join() {
	w := i.w
	if q := i.asked; q != nil {
		if w.now.Before(q.answered) {
			return
		}
		i.asked = nil
		i.joinAt = w.now.Add(600*time.Millisecond + time.Duration(w.r.IntN(200))*time.Millisecond)
		switch {
		case q.silent:
			i.s.Unanswered(w.now, q.sent, NoAnswer)
		case q.lost:
			i.leased = q.sent
			i.s.Unanswered(w.now, q.sent, NoHub)
		default:
			i.leased = q.sent
			if i.s.Assigned(w.now, q.sent, modelTTL, q.assigned) {
				i.joinAt = w.now
			}
		}
		i.perform()
		return
	}
	if w.now.Before(i.joinAt) {
		return
	}
	i.s.CheckLease(w.now)
	i.perform()
	q := &joinModel{sent: w.now, answered: w.now.Add(time.Duration(w.r.IntN(30)) * time.Millisecond)}
	switch {
	case w.now.Before(i.unheard):
		q.silent, q.answered = true, w.now.Add(time.Second)
	case w.now.Before(w.hubAway):
		q.lost = true
		for _, other := range w.instances { // a hub that comes back gives everybody full time
			w.hub.heard[other] = w.hubAway
		}
	default:
		q.assigned = w.hub.join(w.now, i, len(i.s.Held()) > 0)
	}
	i.asked = q
}

// work finishes handlers, and begins others.
func (i *instance) work() {
	w := i.w
	for n := len(i.running); n > 0; n-- {
		if w.chance(12) {
			k := w.r.IntN(len(i.running))
			b := i.running[k]
			i.running = slices.Delete(i.running, k, k+1)
			i.finish(b)
		}
	}
	for len(i.running) < 3 {
		b := &Batch{}
		if !i.s.Take(w.now, b) {
			return
		}
		w.note("%s begins %s", i.name, sequences(b.Jobs))
		for k, j := range b.Jobs {
			w.begins(i, j, b.Jobs[:k])
		}
		i.running = append(i.running, b)
		i.perform()
	}
}

// begins fails unless all of the row that is before the job was handled, or is before
// it in the batch.
func (w *shared) begins(i *instance, j *Job, before []*Job) {
	w.t.Helper()
	if !i.taken[j.Seq].After(i.lapsed) {
		w.fail("%s begins %d, which it had before it stood still", i.name, j.Seq)
	}
	for _, other := range w.instances {
		if other != i && other.busy(j.Row) {
			w.fail("%s begins %d of row %s while %s is at work on it", i.name, j.Seq, j.Row.Key, other.name)
		}
	}
	for seq := uint64(1); seq < j.Seq; seq++ {
		if w.server.keys[seq-1] == j.Row.Key && !w.handled[seq] && !slices.ContainsFunc(before, func(o *Job) bool { return o.Seq == seq }) {
			w.fail("%s begins %d of row %s before %d", i.name, j.Seq, j.Row.Key, seq)
		}
	}
}

// busy reports whether a handler is at work on a row, and did not stand still meanwhile.
func (i *instance) busy(row Row) bool {
	for _, b := range i.running {
		if slices.ContainsFunc(b.Jobs, func(j *Job) bool { return j.Row == row && i.taken[j.Seq].After(i.lapsed) }) {
			return true
		}
	}
	return false
}

func (i *instance) finish(b *Batch) {
	w := i.w
	b.Begin()
	for part := b.Part(false, nil); len(part) > 0; part = b.Part(false, nil) {
		switch answer := w.r.IntN(20); {
		case answer > 2 || w.now.Sub(w.start) > sharedFaults:
			i.s.Acknowledging(w.now, b.Of(part)...)
			for _, k := range part {
				w.handled[b.Jobs[k].Seq] = true
				i.acknowledge(AckDone, b.Jobs[k].Seq)
			}
			b.Handled(part)
		case answer == 0:
			b.Away(part, errors.New("away"))
		case len(part) > 1:
			b.Halve(part)
		default:
			b.Failed(part[0], i.s.Judge(w.now, b.Jobs[part[0]], Answer{Means: Failure}))
		}
	}
	i.s.Done(w.now, b)
	i.perform()
}

func (i *instance) acknowledge(kind AckKind, seq uint64) {
	i.out = append(i.out, func() { i.w.server.acknowledge(kind, seq) })
}

// perform does what the scheduler says.
func (i *instance) perform() {
	w := i.w
	r := i.s.Ready()
	if r == nil {
		return
	}
	for _, sub := range r.Subscribe {
		i.src = sub.Source
		w.note("%s subscribes, epoch %d", i.name, sub.Epoch)
	}
	for _, a := range r.Acks {
		seq, err := strconv.ParseUint(a.Reply, 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		i.acknowledge(a.Kind, seq)
	}
	for _, s := range r.Settle {
		w.note("%s settles%s and calls for%s", i.name, numbers(s.Done), numbers(s.Nak))
		for _, seq := range s.Done {
			i.acknowledge(AckDone, seq)
		}
		for _, seq := range s.Nak {
			i.acknowledge(AckNak, seq)
		}
	}
	for _, req := range r.Infos {
		i.asks = append(i.asks, req)
		i.out = append(i.out, func() {
			i.asks = slices.DeleteFunc(i.asks, func(r InfoRequest) bool { return r == req })
			late := time.Duration(w.r.IntN(1+w.r.IntN(200))) * time.Millisecond
			i.infos = append(i.infos, answer{at: w.now.Add(late), req: req, is: w.server.info(w.start)})
		})
	}
	for _, p := range r.Pulls {
		i.out = append(i.out, func() { w.server.ask(i, p) })
	}
	if r.QueuesChanged {
		w.fail("%s: the queues have changed", i.name)
	}
}
