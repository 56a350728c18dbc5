package sim

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/sim/model"
)

// healInstances ends the faults of the instances and of their queues.
func (w *World) healInstances() {
	for _, i := range w.members {
		if !i.alive {
			i.boot()
		}
		if i.frozen = false; i.lost {
			i.lost = false
			i.reconnected()
		}
	}
	for _, s := range w.services {
		w.onQueue(Action{Verb: Consume, On: s.text})
	}
	for _, e := range w.judge.events {
		e.poison = e.poison && w.kinds&(holdBits|holdBits<<1) == 0 // a held row waits for its handler's mend
	}
}

// drainTime is how long it may take until everything is handled: a lost delivery comes
// again after the ack wait, and may be lost to a dead instance's pin and lease.
const drainTime = 4 * time.Minute

// drainRounds also bounds it, in case of an endless loop.
const drainRounds = 20_000

// drainInstances lets the instances handle all copies.
func (w *World) drainInstances() {
	rounds := 0
	for until := w.now.Add(drainTime); w.now.Before(until) && w.judge.broken == "" && rounds < drainRounds; rounds++ {
		busy := false
		for range 1000 {
			if w.flow(); !w.oneCall() {
				break
			}
			busy = true
		}
		if w.stuck() == "" {
			return
		}
		for _, i := range w.members {
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
		if w.now = w.now.Add(ms); !busy {
			w.now = w.now.Add(50 * ms)
		}
	}
	if w.judge.broken == "" {
		w.judge.fail("V: %s", w.stuck())
	}
}

// stuck describes the events that are not handled yet.
func (w *World) stuck() (what string) {
	for n, s := range w.services {
		if !w.registered(s) {
			continue
		}
		if w.onQueue(Action{Verb: Consume, On: s.text}); w.lanes[s.text] == nil {
			continue
		}
		w.everyConsumer(s, func(name string, c *model.Consumer) {
			if info := c.Info(); info.Pending > 0 || info.AckPending > 0 {
				what = fmt.Sprintf("%d copies of %s wait in %s, %d are not acknowledged", info.Pending, s.text, name, info.AckPending)
			}
		})
		for _, i := range w.members {
			if i.index == n && i.core != nil && i.core.InFlight() > 0 {
				what = fmt.Sprintf("%s has %d events in flight", i.name, i.core.InFlight())
			}
		}
	}
	return what
}
