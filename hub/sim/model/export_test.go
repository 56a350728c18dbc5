package model

import "time"

// Sweep drops the requests of those who are gone, as the server does when it is asked
// about the consumer.
func (c *Consumer) Sweep(now time.Time) {
	c.woken = true
	c.timeouts(now, nil)
}

// Due is how many messages are to be delivered again.
func (c *Consumer) Due() int { return len(c.queue) }
