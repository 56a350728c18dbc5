package sim

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/sim/model"
)

// healInstances ends the faults of the instances and of their queues.
func (e ending) healInstances() {
	for _, i := range e.members {
		if !i.alive {
			i.boot()
		}
		if i.frozen = false; i.lost {
			i.lost = false
			i.reconnected()
		}
	}
	for _, s := range e.services {
		e.onQueue(Action{Verb: Consume, On: s.text})
	}
	for _, event := range e.judge.events {
		event.poison = event.poison && e.kinds&(holdBits|holdBits<<1) == 0 // a held row waits for its handler's mend
	}
}

// drainTime is how long it may take until everything is handled: a lost delivery comes
// again after the ack wait, and may be lost to a dead instance's pin and lease.
const drainTime = 4 * time.Minute

// drainRounds also bounds it, in case of an endless loop.
const drainRounds = 20_000

// drainInstances lets the instances handle all copies.
func (e ending) drainInstances() {
	rounds := 0
	for until := e.now.Add(drainTime); e.now.Before(until) && e.judge.broken == "" && rounds < drainRounds; rounds++ {
		busy := false
		for range 1000 {
			if e.flow(); !e.oneCall() {
				break
			}
			busy = true
		}
		if e.stuck() == "" {
			return
		}
		for _, i := range e.members {
			if !i.alive {
				i.boot()
			}
			i.join(0)
			i.due()
			i.begin()
			for range i.running {
				i.handle(handled)
			}
		}
		if e.now = e.now.Add(ms); !busy {
			e.now = e.now.Add(50 * ms)
		}
	}
	if e.judge.broken == "" {
		e.judge.fail("V: %s", e.stuck())
	}
}

// stuck describes the events that are not handled yet.
func (e ending) stuck() (what string) {
	for n, s := range e.services {
		if !e.registered(s) {
			continue
		}
		if e.onQueue(Action{Verb: Consume, On: s.text}); e.lanes[s.text] == nil {
			continue
		}
		e.everyConsumer(s, func(name string, c *model.Consumer) {
			if info := c.Info(); info.Pending > 0 || info.AckPending > 0 {
				what = fmt.Sprintf("%d copies of %s wait in %s, %d are not acknowledged", info.Pending, s.text, name, info.AckPending)
			}
		})
		for _, i := range e.members {
			if i.index == n && i.core != nil && i.core.InFlight() > 0 {
				what = fmt.Sprintf("%s has %d events in flight", i.name, i.core.InFlight())
			}
		}
	}
	return what
}
