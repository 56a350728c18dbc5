package apply

import (
	"fmt"
	"time"

	"github.com/replhub/replhub"
)

// Progress is the progress of an instance.
type Progress struct {
	// State is the lane's.
	State replhub.State
	// Filling are the entities whose rows or older events are copied to the lane, and
	// Rows how many rows of the owners were copied so far, of about Total. Total is 0 where an
	// owner does not say how many it has.
	Filling     []string
	Rows, Total uint64
	// Applied counts the changes that this instance handled, and Rate is the recent number
	// of changes per second.
	Applied uint64
	Rate    float64
	// Left is what the lane holds and the hub has yet to copy, as far as it is known, and
	// Remaining how long it takes at the service's present rate; 0 where that is not
	// known.
	Left      uint64
	Remaining time.Duration
	// Waits is the reason why there is no progress, such as an owner that serves no rows
	// or a database that is unavailable; empty without such a reason.
	Waits string
	// DeadLetters counts those of the service.
	DeadLetters uint64
}

// pace measures how fast work is done. The zero pace works.
type pace struct {
	at    time.Time
	done  uint64
	left  uint64
	rate  float64 // of this instance
	drain float64 // of the backlog, by all instances
}

// smooth is the weight of the newest second.
const smooth = 0.3

func (p *pace) look(now time.Time, done, left uint64) {
	if !p.at.IsZero() {
		if s := now.Sub(p.at).Seconds(); s > 0 {
			p.rate = blend(p.rate, float64(done-p.done)/s)
			p.drain = blend(p.drain, (float64(p.left)-float64(left))/s)
		}
	}
	p.at, p.done, p.left = now, done, left
}

func blend(old, now float64) float64 {
	if old == 0 {
		return now
	}
	return old*(1-smooth) + now*smooth
}

// progress puts a look at the lane into words.
func (p *pace) progress(now time.Time, s *replhub.Status, done uint64, away replhub.SubscriberState) Progress {
	left := s.Backlog + s.Lag
	p.look(now, done, left)
	out := Progress{State: s.State, Applied: done, Rate: max(p.rate, 0), Left: left, DeadLetters: s.DeadLetters}
	known := true
	for _, f := range s.Fills {
		out.Filling = append(out.Filling, f.Entities...)
		out.Rows += f.Rows
		out.Total += f.Total
		known = known && (f.Total > 0 || f.ID == "")
		if f.Waits != "" {
			out.Waits = f.Waits
		}
	}
	if !known {
		out.Total = 0
	}
	if len(s.Fills) == 0 && left > 0 && p.drain > 0 {
		out.Remaining = time.Duration(float64(left) / p.drain * float64(time.Second))
	}
	switch {
	case away.Unavailable:
		out.Waits = fmt.Sprintf("the database is unavailable since %s: %v", away.Since.Format(time.TimeOnly), away.Err)
	case s.Reason != "" && out.Waits == "":
		out.Waits = s.Reason
	}
	return out
}
