package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// lookEvery is the time between two rounds over partitions that are empty,
	// and lookEach what each partition adds to it.
	lookEvery, lookEach = 100 * time.Millisecond, 2 * time.Millisecond
	// callEvery is the least time between calls for the same copies.
	callEvery = time.Second
	// mostLeft bounds how many copies that another instance has left are
	// collected at once.
	mostLeft = 1000
	// mostCalled bounds the sequences that are called for one by one; beyond it
	// the server's ack wait has to do.
	mostCalled = 100_000
)

// keyedQueue is a queue that keeps keys in order, by partitions of which each
// belongs to one instance at a time. The SDK's Subscribe is not used for it: that
// takes copies ahead, and each that is given back counts as a delivery, so that
// a command that is run a few times would make dead letters of copies that nobody
// has seen. This takes one copy at a time, and looks before it takes.
type keyedQueue struct {
	connection *connection
	js         jetstream.JetStream
	service    subjects.Name
	member     *membership

	parts map[int]*partition
	at    int        // the partition with which the next round begins
	taken *partition // of the copy that was taken last

	notGivenBack error // what could not be given back; close returns it
}

// partition is one of the queue's, held by this instance.
type partition struct {
	number   int
	consumer jetstream.Consumer
	// settled says that no other instance has a copy. Copies that another instance
	// had and did not acknowledge come before new ones.
	settled bool
	pin     string
	called  time.Time // when others' copies were called for last
	// waiting were taken and not shown, in the lane's order; held were shown.
	waiting []jetstream.Msg
	held    heldCopies
}

func partitionConsumer(n int) string { return contract.ConsumerWorkers + "-" + strconv.Itoa(n) }

func joinQueue(ctx context.Context, l *connection, js jetstream.JetStream, service subjects.Name) (workQueue, error) {
	member, err := join(ctx, l, service)
	if err != nil {
		return nil, err
	}
	return &keyedQueue{connection: l, js: js, service: service, member: member, parts: make(map[int]*partition)}, nil
}

func (q *keyedQueue) next(ctx context.Context) (jetstream.Msg, error) {
	for ctx.Err() == nil {
		share, err := q.member.share()
		if err != nil {
			return nil, err
		}
		q.letGo()
		m, err := q.round(ctx, share)
		if err != nil && ctx.Err() != nil {
			break // the wait ended while a request was under way
		}
		if m != nil || err != nil {
			return m, err
		}
		pause := time.NewTimer(lookEvery + time.Duration(len(share))*lookEach)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
	return nil, context.Cause(ctx)
}

// round looks at each partition once, beginning behind the one that had a copy
// last.
func (q *keyedQueue) round(ctx context.Context, share []int) (jetstream.Msg, error) {
	slices.Sort(share)
	from, _ := slices.BinarySearch(share, q.at)
	for i := range share {
		n := share[(from+i)%len(share)]
		if ctx.Err() != nil {
			return nil, nil
		}
		p, err := q.open(ctx, n)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		m, err := q.take(ctx, p)
		if err != nil {
			return nil, err
		}
		if m != nil {
			q.at, q.taken = n+1, p
			return m, nil
		}
		q.rest(p)
	}
	return nil, nil
}

// open begins the work on a partition; nil when another instance has it by now.
func (q *keyedQueue) open(ctx context.Context, n int) (*partition, error) {
	if !q.member.begin(n) {
		return nil, nil
	}
	if p := q.parts[n]; p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, q.connection.timeout)
	defer cancel()
	consumer, err := q.js.Consumer(ctx, subjects.LaneStream(q.service), partitionConsumer(n))
	if err != nil {
		q.member.finish(n)
		return nil, fmt.Errorf("open partition %d of %s: %w", n, q.service, err)
	}
	p := &partition{number: n, consumer: consumer}
	q.parts[n] = p
	return p, nil
}

// take takes the next copy of a partition, if there is one.
func (q *keyedQueue) take(ctx context.Context, p *partition) (jetstream.Msg, error) {
	info, err := q.look(ctx, p)
	if err != nil {
		return nil, err
	}
	p.held.extend(info.Config.AckWait)
	if !p.settled && !q.settle(ctx, p, info) {
		return nil, nil
	}
	if len(p.waiting) == 0 && info.NumPending > 0 {
		if err := q.fetch(p, 1); err != nil {
			return nil, err
		}
	}
	if !p.settled || len(p.waiting) == 0 || !q.member.mine(p.number) {
		return nil, nil
	}
	m := p.waiting[0]
	p.waiting = p.waiting[1:]
	return m, nil
}

func (q *keyedQueue) look(ctx context.Context, p *partition) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, q.connection.timeout)
	defer cancel()
	info, err := p.consumer.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at partition %d of %s: %w", p.number, q.service, err)
	}
	return info, nil
}

// settle collects what another instance had and did not acknowledge, and reports
// whether all of it is here. What is collected is shown in the lane's order.
func (q *keyedQueue) settle(ctx context.Context, p *partition, info *jetstream.ConsumerInfo) bool {
	for ctx.Err() == nil && q.member.mine(p.number) {
		elsewhere := info.NumAckPending - len(p.waiting) - len(p.held.copies)
		if elsewhere <= 0 {
			p.settled = true
			return true
		}
		if time.Since(p.called) > callEvery {
			p.called = time.Now()
			q.call(p, info)
		}
		if err := q.fetch(p, min(elsewhere, mostLeft)); err != nil {
			return false // the next round tries again
		}
		var err error
		if info, err = q.look(ctx, p); err != nil {
			return false
		}
	}
	return false
}

// call asks the server to redeliver the copies of other instances. The server does
// not say which copies those are, so call requests all copies that are not known
// here; the request has no effect for an acknowledged copy.
func (q *keyedQueue) call(p *partition, info *jetstream.ConsumerInfo) {
	// One that starts in the middle has an ack floor of 0 at first, on a cluster.
	from := max(info.AckFloor.Stream+1, info.Config.OptStartSeq)
	if info.Delivered.Stream >= from+mostCalled {
		return
	}
	known := make(map[uint64]bool, len(p.waiting)+len(p.held.copies))
	for _, m := range slices.Concat(p.waiting, p.held.copies) {
		known[sequenceOf(m)] = true
	}
	for seq := from; seq <= info.Delivered.Stream; seq++ {
		if !known[seq] {
			reply := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.0.0", info.Stream, info.Name, seq, info.Delivered.Consumer)
			_ = q.connection.nc.Publish(reply, []byte("-NAK")) // a closed connection shows at the next request
		}
	}
}

// fetch takes copies of a partition into those that wait. A new pin, or a copy
// that was delivered before, says that there may be more with others.
func (q *keyedQueue) fetch(p *partition, most int) error {
	got, err := fetch(p.consumer, most, jetstream.FetchPriorityGroup(contract.GroupWorkers))
	for _, m := range got {
		meta, metaErr := m.Metadata()
		if metaErr != nil {
			continue
		}
		if pin := m.Headers().Get("Nats-Pin-Id"); pin != p.pin {
			p.settled = p.settled && p.pin == "" // the first pin follows a look
			p.pin = pin
		}
		if meta.NumDelivered > 1 {
			p.settled = false
		}
		if !p.held.has(m) && !p.knows(m) {
			p.waiting = append(p.waiting, m)
		}
	}
	slices.SortFunc(p.waiting, bySequence)
	if err != nil && isDoubt(err) {
		p.pin, p.settled = "", false
		return nil
	}
	return err
}

// knows reports whether a delivery is one of a copy that waits; the later one is
// then what is answered.
func (p *partition) knows(m jetstream.Msg) bool {
	for i, known := range p.waiting {
		if sequenceOf(known) == sequenceOf(m) {
			p.waiting[i] = m
			return true
		}
	}
	return false
}

// letGo gives up the partitions that are another's by now, with the copies taken
// from them.
func (q *keyedQueue) letGo() {
	for n, p := range q.parts {
		if !q.member.mine(n) {
			q.giveBack(p)
		}
	}
}

// giveBack gives back all held copies of a partition, and the partition itself.
func (q *keyedQueue) giveBack(p *partition) {
	p.held.copies = append(p.held.copies, p.waiting...)
	p.waiting = nil
	q.notGivenBack = errors.Join(q.notGivenBack, p.held.giveBack(q.connection))
	if p.pin != "" && q.member.mine(p.number) {
		q.unpin(p)
	}
	delete(q.parts, p.number)
	q.member.finish(p.number)
}

// unpin spares who comes next the two seconds for which the server keeps a pin.
func (q *keyedQueue) unpin(p *partition) {
	ctx, cancel := context.WithTimeout(context.Background(), joinTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, subjects.LaneStream(q.service))
	if err != nil {
		return // the pin ends by itself
	}
	_ = stream.UnpinConsumer(ctx, p.consumer.CachedInfo().Name, contract.GroupWorkers) // likewise
}

// rest reports that no copy of a partition is in work, if that is so.
func (q *keyedQueue) rest(p *partition) {
	if len(p.waiting) == 0 && len(p.held.copies) == 0 {
		q.member.finish(p.number)
	}
}

func (q *keyedQueue) ack(ctx context.Context, m jetstream.Msg) error {
	p := q.taken
	if !q.member.mine(p.number) {
		q.keep(m) // to be given back
		return fmt.Errorf("partition %d is no longer this instance's", p.number)
	}
	if err := acknowledge(ctx, m, q.connection.timeout); err != nil {
		q.keep(m)
		return err
	}
	q.rest(p)
	return nil
}

func (q *keyedQueue) keep(m jetstream.Msg) { q.taken.held.add(m) }

func (q *keyedQueue) nothing(ctx context.Context) string {
	share, err := q.member.share()
	if err != nil || len(share) == 0 {
		return q.member.alone()
	}
	var pending, elsewhere uint64
	for _, n := range share {
		p, err := q.open(ctx, n)
		if p == nil || err != nil {
			continue
		}
		info, err := q.look(ctx, p)
		if err != nil {
			continue
		}
		if info.Paused {
			return "the workers are paused; see replhub resume"
		}
		pending += info.NumPending
		elsewhere += uint64(max(info.NumAckPending-len(p.waiting)-len(p.held.copies), 0))
	}
	if pending+elsewhere == 0 {
		return fmt.Sprintf("none waits in %s of %d", plural(len(share), "partition"), q.member.partitions)
	}
	return fmt.Sprintf("%d wait, and %d are to come back from an instance that is gone", pending, elsewhere)
}

func (q *keyedQueue) close() error {
	for _, p := range q.parts {
		q.giveBack(p)
	}
	// All is given back before the partitions are another's.
	return errors.Join(q.notGivenBack, q.member.leave())
}
