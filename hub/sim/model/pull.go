package model

import (
	"slices"
	"strconv"
	"time"
)

// Request is a request for messages that waits at a consumer.
type Request struct {
	// To is who takes the messages.
	To any
	// Batch is how many messages are requested, Expires when the server ends the
	// request; zero for never.
	Batch   int
	Expires time.Time
	// Pin proves that the consumer is the requester's own; empty for none.
	Pin string

	gone bool // its subscriber has gone
}

// Sent is what the server sends to a requester: a message, or the end of a request.
type Sent struct {
	To     any
	Status Status
	// Unsent is how many messages of the request will not come; -1 where the server
	// does not say.
	Unsent int
	// Pin is the pin in the message.
	Pin string

	Delivery
}

// Status says how the server ends a request, as its status line does.
type Status int

// The statuses.
const (
	StatusMessage Status = 0 // no end: a message
	StatusTimeout Status = 408
	StatusGone    Status = 409 // the consumer is deleted
	StatusPinned  Status = 423 // another requester has the consumer for itself
)

// requests are the requests that wait at a consumer, in the order in which they are
// served. A leader that begins knows none, and no pin.
type requests struct {
	waiting []*Request
	// woken says that the server has looked at the requests since a subscriber went.
	woken bool
	// pin is that of the requester who has the consumer for itself, pinned the time of
	// its last request.
	pin    string
	pinned time.Time
}

// Ask takes a request for messages. An answer other than a message comes at once.
func (c *Consumer) Ask(r Request, now time.Time) []Sent {
	c.unpin(now)
	if c.pin != "" && r.Pin == c.pin {
		c.pinned = now
	} else if c.pin != "" && r.Pin != "" {
		return []Sent{{To: r.To, Status: StatusPinned, Unsent: -1}}
	}
	c.waiting, c.woken = append(c.waiting, &r), true
	return nil
}

// Forget notes that a subscriber takes no more messages. The server finds that out when it
// looks at the requests next.
func (c *Consumer) Forget(gone func(to any) bool) {
	for _, r := range c.waiting {
		r.gone = r.gone || gone(r.To)
	}
}

// Waiting is how many requests wait.
func (c *Consumer) Waiting() int { return len(c.waiting) }

// End ends all requests, as the server does when the consumer is deleted.
func (c *Consumer) End() []Sent {
	sent := make([]Sent, 0, len(c.waiting))
	for _, r := range c.waiting {
		sent = append(sent, Sent{To: r.To, Status: StatusGone, Unsent: -1})
	}
	c.waiting = nil
	return sent
}

// Interrupt drops the requests and the pin, as a change of leaders does, and returns
// whose requests these were.
func (c *Consumer) Interrupt() (dropped []any) {
	for _, r := range c.waiting {
		dropped = append(dropped, r.To)
	}
	c.requests = requests{}
	return dropped
}

// Unpin takes the consumer from the requester who has it for itself.
func (c *Consumer) Unpin() { c.pin, c.woken = "", true }

// unpin does so when the requester has been silent for its time.
func (c *Consumer) unpin(now time.Time) {
	if c.pin != "" && now.Sub(c.pinned) >= c.cfg.PinnedTTL {
		c.pin = ""
	}
}

// Send has the server do what is due, and returns what it sends.
func (c *Consumer) Send(now time.Time) []Sent {
	c.unpin(now)
	c.Expire(now)
	var sent []Sent
	for len(c.waiting) > 0 {
		m, delivered, ok := c.take()
		if !ok {
			break
		}
		c.woken = true
		r := c.server(now, &sent)
		if r == nil {
			c.giveBack(m.Seq, delivered)
			break
		}
		sent = append(sent, Sent{To: r.To, Pin: c.pin, Delivery: c.deliver(m, delivered, now)})
	}
	return c.timeouts(now, sent)
}

// take reads the message that is to be delivered next (consumer.go, getNextMsg).
func (c *Consumer) take() (m Message, delivered uint64, ok bool) {
	for len(c.queue) > 0 {
		seq := c.queue[0]
		c.queue = c.queue[1:]
		if m, delivered, ok = c.again(seq); ok {
			return m, delivered, true
		}
	}
	if c.cfg.MaxAckPending > 0 && len(c.pending) >= c.cfg.MaxAckPending {
		return Message{}, 0, false
	}
	if m, ok = c.fresh(); ok {
		return m, 1, true
	}
	c.next = max(c.next, c.stream.last+1)
	return Message{}, 0, false
}

// giveBack undoes take. A message that is to be delivered again goes behind the others
// that are.
func (c *Consumer) giveBack(seq, delivered uint64) {
	if delivered == 1 {
		c.next = seq
		return
	}
	if c.count[seq]--; c.count[seq] == 0 {
		delete(c.count, seq)
	}
	c.queue = append(c.queue, seq)
}

// server is the request that gets the next message; nil for none. Requests that can get
// none any more are ended (consumer.go, nextWaiting).
func (c *Consumer) server(now time.Time, sent *[]Sent) *Request {
	taken := ""
	for cycled := 0; len(c.waiting) > 0; {
		r := c.waiting[0]
		end := Status(0)
		switch {
		case !r.Expires.IsZero() && !now.Before(r.Expires):
			end = StatusTimeout
		case c.cfg.PinnedTTL == 0 || c.pin != "" && r.Pin == c.pin:
		case (c.pin == "" || c.pin == taken) && r.Pin == "":
			c.stream.pins++
			c.pin, c.pinned = "pin"+strconv.Itoa(c.stream.pins), now
			r.Pin = c.pin
		case r.Pin == "":
			c.waiting = append(c.waiting[1:], r)
			if cycled++; cycled >= len(c.waiting) {
				return nil
			}
			continue
		default:
			end = StatusPinned
		}
		if r.gone && end == 0 {
			c.waiting = c.waiting[1:] // but it may have been given the pin
			if c.pin == r.Pin && c.pin != "" {
				taken = r.Pin
			}
			continue
		}
		if end != 0 {
			c.waiting = c.waiting[1:]
			*sent = append(*sent, Sent{To: r.To, Status: end, Unsent: r.Batch})
			continue
		}
		c.waiting = c.waiting[1:]
		if r.Batch--; r.Batch > 0 {
			c.waiting = append(c.waiting, r)
		}
		return r
	}
	return nil
}

// timeouts ends the requests whose time is over.
func (c *Consumer) timeouts(now time.Time, sent []Sent) []Sent {
	c.waiting = slices.DeleteFunc(c.waiting, func(r *Request) bool {
		over := !r.Expires.IsZero() && !now.Before(r.Expires)
		if over && !r.gone {
			sent = append(sent, Sent{To: r.To, Status: StatusTimeout, Unsent: r.Batch})
		}
		return over || r.gone && c.woken
	})
	c.woken = false
	return sent
}

// Progress notes that a worker is still at a message.
func (c *Consumer) Progress(seq uint64, now time.Time) {
	if p, ok := c.pending[seq]; ok {
		p.since = now
	}
}

// NakOf has a message delivered again, after a delay if that is not 0. place is the
// number of one of its deliveries: the server passes over what it takes for settled by
// that number (consumer.go, processNak).
func (c *Consumer) NakOf(seq, place uint64, delay time.Duration, now time.Time) {
	p, ok := c.pending[seq]
	switch {
	case !ok, place <= c.floor.Consumer, place > c.nextPlace:
	case delay == 0:
		c.Nak(seq)
		c.woken = true
	default:
		c.queue = slices.DeleteFunc(c.queue, func(s uint64) bool { return s == seq })
		p.since = now.Add(delay - c.cfg.AckWait)
	}
}
