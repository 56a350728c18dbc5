package model

import (
	"maps"
	"slices"
	"time"
)

// ConsumerConfig are the settings of a durable pull consumer that the hub uses. All
// acknowledge explicitly.
type ConsumerConfig struct {
	Name   string
	Filter string
	// Start is the sequence from which it reads, at most the one behind the stream's
	// last; 0 is all.
	Start      uint64
	MaxDeliver int
	AckWait    time.Duration
	// MaxAckPending bounds the messages that workers hold; 0 is no bound.
	MaxAckPending int
	// PinnedTTL is how long one requester has the consumer for itself without a new
	// request; 0 for a consumer without a holder (pull.go).
	PinnedTTL time.Duration
	// Tag is what the creator noted in the metadata.
	Tag string
}

// Place is a consumer's place: by its own deliveries, and in the stream.
type Place struct{ Consumer, Stream uint64 }

// ConsumerInfo is what the server tells of a consumer.
type ConsumerInfo struct {
	Created                 time.Time
	Delivered, AckFloor     Place
	Pending                 uint64
	AckPending, Redelivered int
	// Start and Tag are the settings'.
	Start uint64
	Tag   string
}

// Delivery is a message in a worker's hands.
type Delivery struct {
	Message
	// ConsumerSeq counts the consumer's deliveries, Delivered those of this message.
	ConsumerSeq, Delivered uint64
	// Tag is the consumer's.
	Tag string
}

// Exhausted tells of a message that was delivered as often as it may be.
type Exhausted struct {
	Seq, Deliveries uint64
}

// Consumer is a durable pull consumer. The leader knows more than its store: what
// it tells of its place is the store's.
type Consumer struct {
	cfg     ConsumerConfig
	created time.Time
	stream  *Stream

	next      uint64 // the next sequence to read
	nextPlace uint64 // the next delivery's number
	pending   map[uint64]*outstanding
	count     map[uint64]uint64 // deliveries beyond the first, of messages that are not settled
	queue     []uint64          // to deliver again, in order
	floor     Place
	exhausted []Exhausted
	requests

	// stored is what the store knows, synced what of that is safe from a kill.
	stored, synced stored
	start          Place // where it stood when it was created
}

// outstanding is a message that a worker holds.
type outstanding struct {
	place uint64 // of its first delivery
	since time.Time
}

// stored is a consumer's state on disk.
type stored struct {
	delivered, floor Place
	pending          map[uint64]uint64 // by sequence, the place of its first delivery
	count            map[uint64]uint64
}

// CreateConsumer makes a consumer that is not there yet.
func (s *Stream) CreateConsumer(cfg ConsumerConfig, now time.Time) (*Consumer, error) {
	if s.consumers[cfg.Name] != nil {
		return nil, &Error{Code: CodeConsumerExists}
	}
	c := &Consumer{
		cfg: cfg, created: now, stream: s, nextPlace: 1,
		pending: make(map[uint64]*outstanding), count: make(map[uint64]uint64),
		stored: stored{pending: make(map[uint64]uint64), count: make(map[uint64]uint64)},
	}
	c.next = max(cfg.Start, s.first, 1)
	defer func() { c.start = c.stored.delivered }()
	if cfg.Start > 0 || s.first > 1 {
		c.floor.Stream, c.stored.delivered.Stream, c.stored.floor.Stream = c.next-1, c.next-1, c.next-1
	}
	s.consumers[cfg.Name] = c
	return c, nil
}

// Consumer is a consumer by its name.
func (s *Stream) Consumer(name string) (*Consumer, error) {
	if c := s.consumers[name]; c != nil {
		return c, nil
	}
	return nil, &Error{Code: CodeConsumerNotFound}
}

// DeleteConsumer removes a consumer.
func (s *Stream) DeleteConsumer(name string) error {
	if s.consumers[name] == nil {
		return &Error{Code: CodeConsumerNotFound}
	}
	delete(s.consumers, name)
	return nil
}

// Info tells how the consumer stands.
func (c *Consumer) Info() ConsumerInfo {
	info := ConsumerInfo{
		Created: c.created, Delivered: c.stored.delivered, AckFloor: c.stored.floor,
		AckPending: len(c.pending), Redelivered: len(c.count), Start: c.cfg.Start, Tag: c.cfg.Tag,
	}
	if c.cfg.MaxDeliver == 1 {
		info.Redelivered = 0 // the server does not tell (consumer.go, infoWithSnapAndReply)
	}
	i, _ := c.stream.find(c.next)
	for _, m := range c.stream.msgs[i:] {
		if Matches(c.cfg.Filter, m.Subject) {
			info.Pending++
		}
	}
	return info
}

// Exhausted are the messages that ran out of deliveries since it was last asked.
func (c *Consumer) Exhausted() []Exhausted {
	e := c.exhausted
	c.exhausted = nil
	return e
}

// Next delivers a message, one that is due again before a new one.
func (c *Consumer) Next(now time.Time) (Delivery, bool) {
	looked := len(c.queue) > 0
	for len(c.queue) > 0 {
		seq := c.queue[0]
		c.queue = c.queue[1:]
		if m, delivered, ok := c.again(seq); ok {
			return c.deliver(m, delivered, now), true
		}
	}
	if m, ok := c.fresh(); ok {
		return c.deliver(m, 1, now), true
	}
	// A request that finds nothing pending is answered without a look.
	if looked && c.stream.last >= c.next {
		c.next = c.stream.last + 1
	}
	return Delivery{}, false
}

// fresh reads the next message that was not delivered yet.
func (c *Consumer) fresh() (Message, bool) {
	i, _ := c.stream.find(c.next)
	for _, m := range c.stream.msgs[i:] {
		if Matches(c.cfg.Filter, m.Subject) {
			c.next = m.Seq + 1
			return m, true
		}
	}
	return Message{}, false
}

// again reads a message that is to be delivered once more, if it may be, and counts
// the delivery.
func (c *Consumer) again(seq uint64) (m Message, delivered uint64, ok bool) {
	c.count[seq]++
	delivered = c.count[seq] + 1
	if most := c.cfg.MaxDeliver; most > 0 && delivered > uint64(most) {
		c.exhausted = append(c.exhausted, Exhausted{seq, delivered - 1})
		if p, ok := c.pending[seq]; ok {
			delete(c.pending, seq)
			delete(c.stored.pending, seq)
			c.stored.count[seq] = max(c.stored.count[seq], delivered-1)
			c.moveFloor(p.place, seq)
		}
		return Message{}, 0, false
	}
	m, err := c.stream.Get(seq)
	if err != nil {
		c.count[seq]--
		if p, ok := c.pending[seq]; ok {
			c.settle(seq, p)
		}
		return Message{}, 0, false
	}
	return m, delivered, true
}

func (c *Consumer) deliver(m Message, delivered uint64, now time.Time) Delivery {
	place := c.nextPlace
	c.nextPlace++
	if p, ok := c.pending[m.Seq]; ok {
		p.since = now
	} else {
		c.pending[m.Seq] = &outstanding{place, now}
	}
	if m.Seq > c.stored.delivered.Stream {
		c.stored.pending[m.Seq] = place
	}
	if delivered > 1 {
		c.stored.count[m.Seq] = max(c.stored.count[m.Seq], delivered-1)
	}
	c.stored.delivered.Consumer = max(c.stored.delivered.Consumer, place)
	c.stored.delivered.Stream = max(c.stored.delivered.Stream, m.Seq)
	return Delivery{Message: m, ConsumerSeq: place, Delivered: delivered, Tag: c.cfg.Tag}
}

// Ack settles a message: acknowledged, or terminated. It reports whether a worker
// held it.
func (c *Consumer) Ack(seq uint64) bool {
	p, ok := c.pending[seq]
	if !ok {
		delete(c.count, seq)
		delete(c.stored.count, seq)
		c.queue = slices.DeleteFunc(c.queue, func(s uint64) bool { return s == seq })
		return false
	}
	c.settle(seq, p)
	return true
}

func (c *Consumer) settle(seq uint64, p *outstanding) {
	delete(c.pending, seq)
	c.moveFloor(p.place, seq)
	delete(c.count, seq)
	c.queue = slices.DeleteFunc(c.queue, func(s uint64) bool { return s == seq })
	c.stored.ack(p.place, seq)
}

// Config is how the consumer was created.
func (c *Consumer) Config() ConsumerConfig { return c.cfg }

// Nak has a message delivered again.
func (c *Consumer) Nak(seq uint64) {
	if _, ok := c.pending[seq]; ok && !slices.Contains(c.queue, seq) {
		c.queue = append(c.queue, seq)
	}
}

// Expire has messages delivered again whose workers kept them for too long.
func (c *Consumer) Expire(now time.Time) {
	var over []uint64
	for seq, p := range c.pending {
		if !slices.Contains(c.queue, seq) && now.Sub(p.since) >= c.cfg.AckWait {
			over = append(over, seq)
		}
	}
	slices.Sort(over)
	c.queue = append(c.queue, over...)
}

// moveFloor is the leader's own floor (consumer.go, moveAckFloor).
func (c *Consumer) moveFloor(place, seq uint64) {
	if len(c.pending) == 0 {
		c.floor = Place{c.nextPlace - 1, c.next - 1}
		return
	}
	if place != c.floor.Consumer+1 {
		return
	}
	c.floor = Place{place, seq}
	for s := seq + 1; s < c.next; s++ {
		if p, ok := c.pending[s]; ok {
			c.floor = Place{p.place - 1, s - 1}
			return
		}
	}
}

// ack is an acknowledgement as the store takes it (filestore.go, UpdateAcks): it
// does not move the floor for a message of which it knows no delivery.
func (s *stored) ack(place, seq uint64) {
	delete(s.count, seq)
	if place <= s.floor.Consumer {
		return
	}
	if _, ok := s.pending[seq]; !ok {
		return
	}
	delete(s.pending, seq)
	if len(s.pending) == 0 {
		s.floor = s.delivered
		return
	}
	if place != s.floor.Consumer+1 {
		return
	}
	s.floor = Place{place, seq}
	for next := seq + 1; next <= s.delivered.Stream; next++ {
		if p, ok := s.pending[next]; ok {
			s.floor = Place{p - 1, next - 1}
			return
		}
	}
}

// forget drops the counts of messages that are gone (consumer.go,
// removeRedeliveredBelow).
func (c *Consumer) forget(first uint64) {
	for seq := range c.count {
		if seq < first {
			delete(c.count, seq)
			c.queue = slices.DeleteFunc(c.queue, func(s uint64) bool { return s == seq })
		}
	}
	for seq := range c.stored.count {
		if seq < first {
			delete(c.stored.count, seq)
		}
	}
}

// purged is told of the stream's first sequence after a purge (consumer.go, purge).
func (c *Consumer) purged(first uint64) {
	c.next = max(c.next, first)
	if c.floor.Stream < first {
		c.floor.Stream = first - 1
		for _, seq := range c.held() {
			p := c.pending[seq]
			if seq <= c.floor.Stream {
				c.floor.Consumer = max(c.floor.Consumer, p.place)
				c.nextPlace = max(c.nextPlace, c.floor.Consumer)
				delete(c.pending, seq)
				delete(c.count, seq)
				c.stored.ack(p.place, seq)
			}
		}
	}
	if len(c.pending) == 0 {
		clear(c.count)
		c.floor = Place{c.nextPlace - 1, c.next - 1}
	}
	c.queue = slices.DeleteFunc(c.queue, func(seq uint64) bool { return seq < c.next })
	c.write()
}

// held are the sequences that workers hold, ascending.
func (c *Consumer) held() []uint64 {
	seqs := make([]uint64, 0, len(c.pending))
	for seq := range c.pending {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	return seqs
}

// write has the store take what the leader knows, unless the store knows more.
func (c *Consumer) write() {
	delivered := Place{c.nextPlace - 1, c.next - 1}
	if c.floor.Consumer > delivered.Consumer || c.floor.Stream > delivered.Stream {
		return
	}
	if delivered.Consumer < c.stored.delivered.Consumer || c.floor.Stream < c.stored.floor.Stream {
		return
	}
	pending := make(map[uint64]uint64, len(c.pending))
	for seq, p := range c.pending {
		if seq <= c.floor.Stream || seq > delivered.Stream {
			return
		}
		pending[seq] = p.place
	}
	c.stored = stored{delivered, c.floor, pending, maps.Clone(c.count)}
}

// Sync makes safe from a kill what the store knows.
func (c *Consumer) Sync() {
	c.synced = c.stored.clone()
}

// Kill is a server that was killed, and begins with the state that was synced last: a
// moment old, as of a server that writes a consumer's state now and then (see
// TestServerThatForgetsDeliveriesKeepsTheOrder of package replhub).
func (c *Consumer) Kill(now time.Time) {
	if c.synced.pending == nil {
		c.synced = stored{delivered: c.start, floor: c.start, pending: make(map[uint64]uint64), count: make(map[uint64]uint64)}
	}
	c.stored = c.synced
	c.Sync()
	c.Restart(now)
	c.next = max(c.next, c.stream.first)
}

// Restart is a leader that begins: it knows what the store does. Messages that
// workers held are delivered again when their time is over.
func (c *Consumer) Restart(now time.Time) {
	c.next, c.nextPlace, c.floor = c.stored.delivered.Stream+1, c.stored.delivered.Consumer+1, c.stored.floor
	c.queue, c.requests = nil, requests{}
	c.count = maps.Clone(c.stored.count)
	c.pending = make(map[uint64]*outstanding, len(c.stored.pending))
	for seq, place := range c.stored.pending {
		c.pending[seq] = &outstanding{place, now}
	}
}
