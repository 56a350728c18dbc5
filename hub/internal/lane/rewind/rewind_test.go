package rewind_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/lane/rewind"
	"github.com/replhub/replhub/internal/contract"
)

// lane is what a plan is told: the positions of its copies from a first sequence on, 0 for
// a state record, and the consumers.
type lane struct {
	first  uint64
	copies []uint64
	have   map[string]rewind.Consumer
}

func (l lane) headers(seq uint64) (map[string][]string, bool) {
	if seq < l.first || seq >= l.first+uint64(len(l.copies)) {
		return nil, false
	}
	pos := l.copies[seq-l.first]
	if pos == 0 {
		return map[string][]string{contract.HeaderState: {"1"}}, true
	}
	return map[string][]string{
		contract.HeaderPosition:        {event.Position{Epoch: 1, Seq: pos}.String()},
		contract.HeaderTime:            {time.Unix(int64(pos), 0).UTC().Format(time.RFC3339Nano)},
		contract.HeaderExpectedLastSeq: {"0"},
	}, true
}

func (l lane) plan(s record.State, t rewind.Target) string {
	last := l.first + uint64(len(l.copies)) - 1
	for step := rewind.Plan(s, t); ; {
		switch q := step.(type) {
		case rewind.SeeStream:
			step = q.Then(rewind.Bounds{First: l.first, Last: last, Messages: uint64(len(l.copies)), Lane: "l/"})
		case rewind.ReadMessage:
			step = q.Then(l.headers(q.Seq))
		case rewind.SeeConsumers:
			have := maps.Clone(l.have)
			for name, c := range have {
				c.Generation = cmp.Or(c.Generation, "l/0")
				have[name] = c
			}
			step = q.Then(have)
		case rewind.ReadNext:
			var h map[string][]string
			seq, found := q.Seq-1, false
			for ; seq < last && !found; found = len(h[contract.HeaderPosition]) > 0 {
				seq++
				h, _ = l.headers(seq)
			}
			step = q.Then(seq, h, found)
		case rewind.SeeMatch:
			step = q.Then(last)
		case rewind.Refused:
			return q.Err.Error()
		case rewind.Planned:
			text := fmt.Sprint("from ", q.Rewound.From)
			for _, name := range slices.Sorted(maps.Keys(q.Rewound.Starts)) {
				text += fmt.Sprintf(", %s from %d", name, q.Rewound.Starts[name])
			}
			return text
		}
	}
}

func TestPlan(t *testing.T) {
	type have = map[string]rewind.Consumer
	none := record.State{Queue: record.DefaultQueue()}
	two := none
	two.Queue.Order, two.Queue.Partitions = record.OrderKey, 2
	again := none
	again.Rewound = &record.Rewound{ID: "r", From: 12}
	copies := []uint64{0, 2, 3, 0, 5, 6, 7}
	all := rewind.Consumer{Delivered: 16, Floor: 16}
	at := func(seq uint64) rewind.Target { return rewind.Target{Epoch: 1, Seq: seq} }
	for name, c := range map[string]struct {
		lane   lane
		state  record.State
		target rewind.Target
		want   string
	}{
		"to an event":                       {lane{10, copies, have{"workers": all}}, none, at(5), "from 13"},
		"to one that the lane has not":      {lane{10, copies, have{"workers": all}}, none, at(4), "from 13"},
		"to a time":                         {lane{10, copies, have{"workers": all}}, none, rewind.Target{Time: time.Unix(6, 0)}, "from 15"},
		"to the first event":                {lane{10, copies, have{"workers": all}}, none, at(2), "from 10"},
		"further back than the lane goes":   {lane{10, copies, have{"workers": all}}, none, at(1), "the lane holds copies only from event 1-2 (1970-01-01T00:00:02Z) on"},
		"a lane that was never trimmed":     {lane{1, copies, have{"workers": {Delivered: 7, Floor: 7}}}, none, at(1), "from 1"},
		"an unacknowledged copy stays due":  {lane{10, copies, have{"workers": {Delivered: 16, Floor: 11}}}, none, at(6), "from 15, workers from 12"},
		"a worker that is behind":           {lane{10, copies, have{"workers": {Delivered: 12, Floor: 12}}}, none, at(6), "a rewind goes back, not forwards: the workers have not got event 1-5 yet, which lies before it"},
		"to where they are":                 {lane{10, copies, have{"workers": {Delivered: 15, Floor: 15}}}, none, at(7), "from 16"},
		"one of two is behind":              {lane{10, copies, have{"workers-0": all, "workers-1": {Delivered: 11, Floor: 11}}}, two, at(6), "from 15, workers-1 from 12"},
		"a missing consumer":                {lane{10, copies, have{"workers-0": all}}, two, at(6), "from 15, workers-1 from 1"},
		"nobody is as far":                  {lane{10, copies, have{"workers-0": {Delivered: 11}, "workers-1": {Delivered: 11}}}, two, at(6), "a rewind goes back, not forwards: the workers have not got event 1-3 yet, which lies before it"},
		"behind the end":                    {lane{10, copies, have{"workers": all}}, none, at(8), "from 17"},
		"an empty lane":                     {lane{11, nil, have{"workers": {Delivered: 10, Floor: 10}}}, none, at(1), "from 11"},
		"another rewind is not done yet":    {lane{10, copies, have{"workers": {Delivered: 16, Floor: 16, Generation: "l/0"}}}, again, at(6), "from 15, workers from 12"},
		"another rewind is done":            {lane{10, copies, have{"workers": {Delivered: 16, Floor: 16, Generation: "l/0/r"}}}, again, at(6), "from 15"},
		"a consumer of an earlier lane":     {lane{10, copies, have{"workers": {Delivered: 16, Floor: 16, Generation: "earlier/0/r"}}}, again, at(6), "from 15, workers from 12"},
		"a consumer of a lost rewind":       {lane{10, copies, have{"workers": {Delivered: 16, Floor: 16, Generation: "l/0/lost"}}}, none, at(6), "from 15, workers from 1"},
		"a consumer that started elsewhere": {lane{10, copies, have{"workers": {Start: 15}}}, none, at(6), "from 15, workers from 1"},
	} {
		if got := c.lane.plan(c.state, c.target); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

// The consumers of another generation give way to those of the rewind. Others may create
// and delete them meanwhile.
func TestFinish(t *testing.T) {
	s := record.State{Queue: record.DefaultQueue(), Rewound: &record.Rewound{ID: "r"}}
	other, none := record.State{Queue: s.Queue, Rewound: &record.Rewound{ID: "later"}}, record.State{Queue: s.Queue}
	generation := rewind.Generation(s, "lane/")
	for name, c := range map[string]struct {
		// before and after are the states in force before the first look and at the end, if
		// they are not the rewind's.
		before, after *record.State
		found         []string // the generations that are seen, one look after the other
		created       []bool
		want          string
		err           error
	}{
		"the old one is there":           {nil, nil, []string{"old"}, []bool{true}, "look delete create record", nil},
		"missing":                        {nil, nil, []string{""}, []bool{true}, "look create record", nil},
		"done by another hub":            {nil, nil, []string{generation}, nil, "look record", nil},
		"created by somebody else":       {nil, nil, []string{"old", "old"}, []bool{false, true}, "look delete create look delete create record", nil},
		"created by another hub":         {nil, nil, []string{"", generation}, []bool{false}, "look create look record", nil},
		"another rewind is in force":     {&other, nil, nil, nil, "", nil},
		"the lane knows of no rewind":    {&none, nil, nil, nil, "", nil},
		"another rewind comes meanwhile": {nil, &other, []string{"old", generation}, []bool{true, true}, "look delete create record look delete create record", nil},
		"the lane goes back meanwhile":   {nil, &none, []string{"old", generation}, []bool{true, true}, "look delete create record look delete create record", nil},
		"created by others every time":   {nil, nil, []string{"", "old", "old"}, []bool{false, false, false}, "look create look delete create look delete create", rewind.ErrUnsteady},
	} {
		var did []string
		var done rewind.Done
		for step, over := rewind.Finish(s, "lane/"), false; !over; {
			switch q := step.(type) {
			case rewind.SeeConsumer:
				did = append(did, "look")
				have := c.found[0]
				c.found = c.found[1:]
				step = q.Then(have, have != "")
			case rewind.DeleteConsumer:
				did = append(did, "delete")
				step = q.Then()
			case rewind.CreateConsumer:
				did = append(did, "create")
				created := c.created[0]
				c.created = c.created[1:]
				step = q.Then(created)
			case rewind.SeeState:
				now := s
				if c.before != nil {
					now = *c.before
				}
				step = q.Then(now)
			case rewind.RecordDone:
				did = append(did, "record")
				now := q.Of
				if c.after != nil {
					now = *c.after
				}
				step = q.Then(now)
			case rewind.Done:
				done, over = q, true
			}
		}
		if got := strings.Join(did, " "); got != c.want || !errors.Is(done.Err, c.err) {
			t.Errorf("%s: %s, %v; want %s", name, got, done.Err, c.want)
		}
	}
}

// A rewind that another one has replaced is not recorded as done.
func TestRecorded(t *testing.T) {
	s := record.State{Rewound: &record.Rewound{ID: "b", From: 9, Starts: map[string]uint64{"workers": 5}}}
	of := func(id string) record.State { return record.State{Rewound: &record.Rewound{ID: id}} }
	if next, changed := rewind.Recorded(s, of("a")); changed || next.Rewound.Done {
		t.Error("another rewind is done")
	}
	next, changed := rewind.Recorded(s, of("b"))
	if !changed || !next.Rewound.Done || next.Rewound.From != 5 {
		t.Errorf("%v, %+v", changed, next.Rewound)
	}
	if _, changed := rewind.Recorded(next, of("b")); changed {
		t.Error("done twice")
	}
}
