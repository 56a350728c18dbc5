package history_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/history"
)

func TestStanding(t *testing.T) {
	began := time.Unix(1000, 0)
	created := time.Unix(500, 0)
	type answer struct {
		after               time.Duration // since began, until it was asked for
		delivered, ackFloor uint64
		held                int
		created             time.Time
		start               uint64
		took                time.Duration // until it came
		leading             time.Duration
	}
	const still = history.StandsAfter
	for name, c := range map[string]struct {
		answers []answer
		want    uint64
	}{
		"one look":                             {[]answer{{0, 9, 4, 0, created, 0, 0, 0}}, 4},
		"still for long":                       {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 4, 0, created, 0, 0, 0}}, 9},
		"not long enough":                      {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still - 1, 9, 4, 0, created, 0, 0, 0}}, 4},
		"many looks, not long enough":          {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still / 3, 9, 4, 0, created, 0, 0, 0}, {still / 2, 9, 4, 0, created, 0, 0, 0}}, 4},
		"a worker holds a copy":                {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 4, 1, created, 0, 0, 0}}, 4},
		"a worker held a copy in between":      {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still / 2, 9, 4, 1, created, 0, 0, 0}, {still, 9, 4, 0, created, 0, 0, 0}}, 4},
		"a worker held the copy for long":      {[]answer{{0, 9, 4, 1, created, 0, 0, 0}, {2 * still, 9, 4, 0, created, 0, 0, 0}}, 4},
		"another copy was delivered":           {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 10, 4, 0, created, 0, 0, 0}}, 4},
		"the floor moved":                      {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 5, 0, created, 0, 0, 0}}, 5},
		"fell back with the stream":            {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 4, 0, created, 0, 0, 0}, {still + 1, 7, 4, 0, created, 0, 0, 0}}, 4},
		"another consumer of that name":        {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 4, 0, created.Add(1), 0, 0, 0}}, 4},
		"starts in the middle":                 {[]answer{{0, 0, 0, 0, created, 6, 0, 0}}, 5},
		"starts in the middle, busy":           {[]answer{{0, 7, 0, 2, created, 6, 0, 0}}, 5},
		"acknowledged behind its start":        {[]answer{{0, 9, 8, 1, created, 6, 0, 0}}, 8},
		"the first answer came late":           {[]answer{{0, 9, 4, 0, created, 0, 1, 0}, {still, 9, 4, 0, created, 0, 0, 0}}, 4},
		"the second answer came late":          {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {1, 9, 4, 0, created, 0, 2 * still, 0}}, 4},
		"both late, far enough apart":          {[]answer{{0, 9, 4, 0, created, 0, 1, 0}, {still + 1, 9, 4, 0, created, 0, still, 0}}, 9},
		"the first from a young leader":        {[]answer{{0, 9, 4, 0, created, 0, 0, time.Second}, {still, 9, 4, 0, created, 0, 0, time.Minute}}, 4},
		"the second from a young leader":       {[]answer{{0, 9, 4, 0, created, 0, 0, time.Minute}, {still, 9, 4, 0, created, 0, 0, time.Second}}, 4},
		"both from a leader of long":           {[]answer{{0, 9, 4, 0, created, 0, 0, time.Minute}, {still, 9, 4, 0, created, 0, 0, time.Hour}}, 9},
		"what was proven is not kept for good": {[]answer{{0, 9, 4, 0, created, 0, 0, 0}, {still, 9, 4, 0, created, 0, 0, 0}, {still + 1, 12, 4, 2, created, 0, 0, 0}}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			var s history.Standings
			var floor uint64
			for _, a := range c.answers {
				at := history.Consumer{
					Created: a.created, Held: a.held, Start: a.start,
					Delivered: history.Place{Stream: a.delivered, Consumer: a.delivered},
					AckFloor:  history.Place{Stream: a.ackFloor, Consumer: a.ackFloor}, Leading: a.leading,
				}
				floor = s.Look(map[string]history.Consumer{"workers": at}, began.Add(a.after), began.Add(a.after+a.took))["workers"]
			}
			if floor != c.want {
				t.Errorf("floor %d, want %d", floor, c.want)
			}
		})
	}
}

// A consumer is named as behind only where none has work to do.
func TestBehind(t *testing.T) {
	idle := func(delivered, floor uint64) history.Consumer {
		return history.Consumer{Delivered: history.Place{Stream: delivered}, AckFloor: history.Place{Stream: floor}}
	}
	busy := idle(9, 9)
	busy.Pending = 1
	for name, c := range map[string]struct {
		consumers map[string]history.Consumer
		want      string
	}{
		"no look yet":          {nil, ""},
		"none behind":          {map[string]history.Consumer{"a": idle(9, 9)}, ""},
		"the first one behind": {map[string]history.Consumer{"b": idle(9, 4), "a": idle(7, 4), "c": idle(9, 9)}, "a"},
		"beside one with work": {map[string]history.Consumer{"a": idle(9, 4), "b": busy}, ""},
	} {
		var s history.Standings
		if c.consumers != nil {
			s.Look(c.consumers, time.Unix(1000, 0), time.Unix(1000, 0))
		}
		if got := s.Behind(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
