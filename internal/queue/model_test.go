package queue

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// consumerModel is what a server does with a pinned pull consumer of a lane, as far as
// the scheduler can tell: pins, priorities, redeliveries, and what a server that was
// killed has forgotten.
type consumerModel struct {
	now     time.Time
	state   consumerState
	written []consumerState // every 100 ms; a killed server goes back to one
	pin     string
	pinned  time.Time // the last pull with the pin
	pins    int
	waiting []waitingPull
	keys    []string // of the lane's copies, from sequence 1
}

// consumerState is what a server writes down of a consumer.
type consumerState struct {
	delivered, seq uint64          // of the lane and of the consumer
	acked          map[uint64]bool // those that were delivered
	times          map[uint64]int  // how often each unacknowledged one was
	naks           []uint64        // to be delivered again, before anything new
	at             map[uint64]time.Time
}

type waitingPull struct {
	to      *instance
	pull    Pull
	expires time.Time
}

const (
	modelPinTTL  = 2 * time.Second
	modelAckWait = 30 * time.Second
	modelPull    = 1500 * time.Millisecond
)

func newConsumerModel(now time.Time) *consumerModel {
	return &consumerModel{now: now, state: consumerState{acked: map[uint64]bool{}, times: map[uint64]int{}, at: map[uint64]time.Time{}}}
}

func (s *consumerState) clone() consumerState {
	c := *s
	c.acked, c.times, c.at, c.naks = maps.Clone(s.acked), maps.Clone(s.times), maps.Clone(s.at), slices.Clone(s.naks)
	return c
}

func (s *consumerState) floor() uint64 {
	floor := uint64(0)
	for floor < s.delivered && s.acked[floor+1] {
		floor++
	}
	return floor
}

// ask takes a pull.
func (c *consumerModel) ask(from *instance, p Pull) {
	switch {
	case p.Pin != "" && p.Pin != c.pin:
		from.receive(packet{epoch: p.Epoch, end: PullUnpinned, ends: true, unsent: -1})
		return
	case p.Pin != "":
		c.pinned = c.now
	}
	c.waiting = append(c.waiting, waitingPull{to: from, pull: p, expires: c.now.Add(modelPull)})
}

// acknowledge takes an acknowledgement of a sequence.
func (c *consumerModel) acknowledge(kind AckKind, seq uint64) {
	if _, pending := c.state.times[seq]; !pending {
		return
	}
	switch kind {
	case AckDone:
		delete(c.state.times, seq)
		c.state.acked[seq] = true
		c.state.naks = slices.DeleteFunc(c.state.naks, func(n uint64) bool { return n == seq })
	case AckNak:
		if !slices.Contains(c.state.naks, seq) {
			c.state.naks = append(c.state.naks, seq)
		}
	case AckProgress:
		c.state.at[seq] = c.now
	}
}

func (c *consumerModel) info(start time.Time) *Info {
	return &Info{
		Created: start, AckFloor: c.state.floor(), Delivered: c.state.delivered, DeliveredSeq: c.state.seq,
		Unacknowledged: len(c.state.times), MaxUnacknowledged: 1000, Undelivered: uint64(len(c.keys)) - c.state.delivered,
	}
}

// tick has the server do what is due.
func (c *consumerModel) tick(now time.Time, write bool) {
	c.now = now
	if write {
		c.written = append(c.written, c.state.clone())
		if len(c.written) > 4 {
			c.written = c.written[1:]
		}
	}
	if c.pin != "" && now.Sub(c.pinned) > modelPinTTL {
		c.pin = ""
	}
	for seq, at := range c.state.at {
		if _, pending := c.state.times[seq]; pending && now.Sub(at) > modelAckWait {
			c.state.at[seq] = now
			c.acknowledge(AckNak, seq)
		}
	}
	slices.Sort(c.state.naks)
	for c.deliver() {
	}
	c.expire()
}

// expire ends pulls whose time is over.
func (c *consumerModel) expire() {
	c.waiting = slices.DeleteFunc(c.waiting, func(w waitingPull) bool {
		over := !c.now.Before(w.expires)
		if over {
			w.to.receive(packet{epoch: w.pull.Epoch, end: PullOver, ends: true, unsent: w.pull.Batch})
		}
		return over
	})
}

// deliver gives one copy to who has the pin, or gets it now; false when it cannot.
func (c *consumerModel) deliver() bool {
	if len(c.state.naks) == 0 && c.state.delivered == uint64(len(c.keys)) {
		return false
	}
	i := slices.IndexFunc(c.waiting, func(w waitingPull) bool { return c.pin == "" || w.pull.Pin == c.pin })
	if i < 0 {
		return false
	}
	w := &c.waiting[i]
	if c.pin == "" {
		c.pins++
		c.pin, c.pinned = "pin"+strconv.Itoa(c.pins), c.now
		w.pull.Pin = c.pin
	}
	var seq uint64
	if len(c.state.naks) > 0 {
		seq, c.state.naks = c.state.naks[0], c.state.naks[1:]
	} else {
		c.state.delivered++
		seq = c.state.delivered
	}
	c.state.seq++
	c.state.times[seq]++
	c.state.at[seq] = c.now
	w.to.receive(packet{
		epoch: w.pull.Epoch, seq: seq, key: c.keys[seq-1], times: c.state.times[seq], at: c.state.seq, pin: c.pin,
	})
	if w.pull.Batch--; w.pull.Batch == 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return true
}

// kill has the server come back as it had written itself down a moment before.
func (c *consumerModel) kill(back int) {
	c.waiting, c.pin = nil, ""
	if len(c.written) > 0 {
		c.state = c.written[max(len(c.written)-1-back, 0)].clone()
	}
	c.written = nil
}

// hubModel gives the partition to one instance at a time: it goes to another when its
// holder says that it let go, in answer to a reply that told it so, or is silent.
type hubModel struct {
	holder, target *instance
	told           bool // the holder, that it is to let go
	heard          map[*instance]time.Time
}

const modelTTL = 3 * time.Second

// join takes a request; nil: the answer is that there is nothing for it.
func (h *hubModel) join(now time.Time, from *instance, holds bool) (assigned []int) {
	h.heard[from] = now
	if h.holder != nil && now.Sub(h.heard[h.holder]) > modelTTL {
		h.holder = nil
	}
	if h.holder == from && h.target != from && !holds && h.told {
		h.holder = nil
	}
	if h.holder == nil && h.target == from {
		h.holder, h.told = from, false
	}
	switch {
	case h.holder != from:
		return nil
	case h.target != from:
		h.told = true
		return nil
	}
	return []int{0}
}
