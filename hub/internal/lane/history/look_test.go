package history_test

import (
	"math"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/history"
)

func TestProvenFloor(t *testing.T) {
	for name, c := range map[string]struct{ ackFloor, match, last, want uint64 }{
		"nothing acknowledged":                 {0, 10, 10, 0},
		"some acknowledged":                    {5, 10, 12, 5},
		"all that match acknowledged":          {10, 10, 12, 12},
		"acknowledged past the match":          {11, 10, 12, 12},
		"nothing matches":                      {0, 0, 12, 12},
		"the match was purged, a floor is old": {5, 0, 12, 12},
		"matched after last was read":          {12, 13, 12, 12},
		"an ack floor ahead of the stream":     {20, 30, 12, 12},
		"an empty lane":                        {0, 0, 0, 0},
	} {
		if got := history.ProvenFloor(c.ackFloor, c.match, c.last); got != c.want {
			t.Errorf("%s: floor %d, want %d", name, got, c.want)
		}
	}
}

// lane is what a look is told, and cutoff the first message that is too young to go.
type lane struct {
	first, last, cutoff uint64
	gone                uint64 // a message that is missing
	floors, matches     map[string]uint64
	needed, before      []string
	held                uint64
}

// look is what is found in a lane: the first message to stay, and a missing consumer.
func (l lane) look(t *testing.T) (keep uint64, missing string) {
	at := func(seq uint64) time.Time { return time.Unix(int64(seq), 0) }
	look := history.NewLook(at(l.cutoff))
	for range 100 {
		switch step := look.Next().(type) {
		case history.SeeStream:
			look.StreamSeen(l.first, l.last, l.last+1-l.first, at(l.first))
		case history.SeeConsumers:
			look.ConsumersSeen(l.floors)
		case history.SeeRecord:
			look.RecordSeen(l.needed, l.before)
		case history.SeeMatch:
			look.MatchSeen(l.matches[step.Consumer])
		case history.SeeTime:
			look.TimeSeen(at(step.Seq), step.Seq != l.gone)
		case history.SeeHeld:
			look.HeldSeen(l.held)
		case history.Missing:
			return 0, step.Consumer
		case history.Rewinding:
			return 0, "rewinding " + step.Consumer
		case history.Found:
			if step.First != l.first {
				t.Errorf("begins at %d, want %d", step.First, l.first)
			}
			return step.Keep, ""
		}
	}
	t.Fatal("the look does not end")
	return 0, ""
}

func TestLook(t *testing.T) {
	type floors = map[string]uint64
	two := []string{"workers-0", "workers-1"}
	none := uint64(math.MaxUint64)
	for name, c := range map[string]struct {
		lane    lane
		keep    uint64
		missing string
	}{
		"all dealt with: the last message stays": {lane{1, 20, 99, 0, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, nil, none}, 20, ""},
		"as far as the floor":                    {lane{1, 20, 99, 0, floors{"workers": 9}, floors{"workers": 20}, []string{"workers"}, nil, none}, 10, ""},
		"the slower of two":                      {lane{1, 20, 99, 0, floors{"workers-0": 15, "workers-1": 4}, floors{"workers-0": 20, "workers-1": 19}, two, nil, none}, 5, ""},
		"a partition without work":               {lane{1, 20, 99, 0, floors{"workers-0": 15, "workers-1": 0}, floors{"workers-0": 20}, two, nil, none}, 16, ""},
		"a floor of nothing":                     {lane{1, 20, 99, 0, floors{"workers": 0}, floors{"workers": 20}, []string{"workers"}, nil, none}, 1, ""},
		"as young as the cutoff":                 {lane{1, 20, 7, 0, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, nil, none}, 7, ""},
		"all too young":                          {lane{5, 20, 4, 0, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, nil, none}, 0, ""},
		"a message that is gone":                 {lane{1, 20, 99, 10, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, nil, none}, 20, ""},
		"a dead letter may be missing":           {lane{1, 20, 99, 0, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, nil, 3}, 3, ""},
		"an empty lane":                          {lane{21, 20, 99, 0, floors{"workers": 20}, nil, []string{"workers"}, nil, none}, 0, ""},
		"a missing consumer":                     {lane{1, 20, 99, 0, floors{"workers-0": 20}, nil, two, nil, none}, 0, "workers-1"},
		"one from before a rewind":               {lane{1, 20, 99, 0, floors{"workers": 20}, floors{"workers": 20}, []string{"workers"}, []string{"workers"}, none}, 0, "rewinding workers"},
		"one that the record has no more":        {lane{1, 20, 99, 0, floors{"workers-0": 20, "workers-1": 20, "workers": 3}, floors{"workers": 20}, two, nil, none}, 4, ""},
	} {
		if keep, missing := c.lane.look(t); keep != c.keep || missing != c.missing {
			t.Errorf("%s: keeps from %d, misses %q; want %d, %q", name, keep, missing, c.keep, c.missing)
		}
	}
}

func TestBelow(t *testing.T) {
	for name, c := range map[string]struct {
		found          history.Found
		stateSeq, last uint64
		want           uint64
	}{
		"what was found":                     {history.Found{First: 1, Keep: 9}, 15, 20, 9},
		"not the newest state record":        {history.Found{First: 1, Keep: 9}, 5, 20, 5},
		"nothing":                            {history.Found{First: 9, Keep: 9}, 15, 20, 0},
		"nothing was found":                  {history.Found{First: 9}, 15, 20, 0},
		"the last message stays":             {history.Found{First: 1, Keep: 20}, 20, 20, 20},
		"the lane shrank":                    {history.Found{First: 1, Keep: 9}, 9, 8, 0},
		"a record in front of what is there": {history.Found{First: 9, Keep: 12}, 4, 20, 0},
	} {
		if got := history.Below(c.found, c.stateSeq, c.last); got != c.want {
			t.Errorf("%s: below %d, want %d", name, got, c.want)
		}
	}
}
