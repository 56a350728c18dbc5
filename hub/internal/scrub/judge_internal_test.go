package scrub

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/record"
)

// What a reader was not given is damaged unless somebody deleted it, by what a server says
// that was started in one of the ways of nats-server 2.15.2.
func TestDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		read []uint64 // from 3 on
		held held
		want []record.Gap
	}{
		"all there":                     {[]uint64{3, 4, 5}, held{first: 1}, nil},
		"a bit flipped":                 {[]uint64{3, 5}, held{first: 1}, []record.Gap{{First: 4, Last: 4}}},
		"several":                       {[]uint64{4, 7, 8, 10}, held{first: 1}, []record.Gap{{First: 3, Last: 3}, {First: 5, Last: 6}, {First: 9, Last: 9}}},
		"erased":                        {[]uint64{3, 5}, held{first: 1, deleted: []uint64{4}}, nil},
		"erased beside a damaged one":   {[]uint64{3, 6}, held{first: 1, deleted: []uint64{4}}, []record.Gap{{First: 5, Last: 5}}},
		"cut, stopped before":           {[]uint64{3, 6}, held{first: 1, deleted: []uint64{4, 5}, lost: true, lostSeqs: []uint64{4, 5}}, []record.Gap{{First: 4, Last: 5}}},
		"cut beside an erased one":      {[]uint64{3, 6}, held{first: 1, deleted: []uint64{4, 5}, lost: true, lostSeqs: []uint64{5}}, []record.Gap{{First: 5, Last: 5}}},
		"cut, killed before":            {[]uint64{3, 6}, held{first: 1, deleted: []uint64{4, 5}, lost: true}, []record.Gap{{First: 4, Last: 5}}},
		"purged while it was read":      {[]uint64{6, 7}, held{first: 6}, nil},
		"purged up to within the range": {[]uint64{7}, held{first: 6}, []record.Gap{{First: 6, Last: 6}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := holes{next: 3}
			for _, seq := range c.read {
				h.came(seq)
			}
			if got := damaged(h.found, c.held); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// A review begins where the slowest worker stands; workers without work do not hold it back.
func TestFloor(t *testing.T) {
	at := func(delivered, floor uint64, pending uint64, held int) *jetstream.ConsumerInfo {
		return &jetstream.ConsumerInfo{
			Delivered: jetstream.SequenceInfo{Stream: delivered}, AckFloor: jetstream.SequenceInfo{Stream: floor},
			NumPending: pending, NumAckPending: held,
		}
	}
	type workers = map[string]*jetstream.ConsumerInfo
	for name, c := range map[string]struct {
		of   workers
		want uint64
	}{
		"nothing delivered":     {workers{"workers": at(0, 0, 9, 0)}, 0},
		"behind":                {workers{"workers": at(7, 5, 9, 2)}, 4},
		"no work":               {workers{"workers": at(7, 5, 0, 0)}, 7},
		"an idle partition":     {workers{"workers-0": at(0, 0, 0, 0), "workers-1": at(9, 9, 0, 0)}, 9},
		"a slow partition":      {workers{"workers-0": at(5, 4, 1, 1), "workers-1": at(9, 9, 0, 0)}, 3},
		"no consumer was there": {nil, 0},
	} {
		if got := floorOf(c.of); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	gaps := []record.Gap{{First: 1, Last: 1}, {First: 3, Last: 5}}
	if got := text(gaps); got != "1, 3 to 5" {
		t.Error(got)
	}
	for i := range uint64(9) {
		gaps = append(gaps, record.Gap{First: 10 + 2*i, Last: 10 + 2*i})
	}
	if got := text(gaps); got != "1, 3 to 5, 10, 12, 14, 6 more ranges" {
		t.Error(got)
	}
}

// What an earlier review found stays known until the stream is trimmed past it, or a review
// of that place finds it readable.
func TestKept(t *testing.T) {
	at := func(seq uint64) record.Gap { return record.Gap{First: seq, Last: seq} }
	before := []record.Gap{at(3), at(7), at(12), at(15)}
	if got, want := kept(before, []record.Gap{at(11)}, 5, 10, 13), []record.Gap{at(7), at(11), at(15)}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A review is due at the first look, when a server may have read from its disk, and after a
// time. It begins where the workers stood before that.
func TestCourse(t *testing.T) {
	const every = time.Minute
	type look struct {
		after          time.Duration
		at             place
		due            bool
		from, sureFrom uint64
	}
	for name, looks := range map[string][]look{
		"the first":                {{0, place{floor: 30_000}, true, 28_000, 30_000}, {0, place{floor: 30_001}, false, 0, 0}},
		"a short lane":             {{0, place{floor: 3}, true, 0, 3}},
		"reconnected":              {{0, place{floor: 5}, true, 0, 5}, {0, place{floor: 7}, false, 0, 0}, {0, place{connection: 1, floor: 90}, true, 7, 0}},
		"another leader":           {{0, place{leaders: "a"}, true, 0, 0}, {0, place{leaders: "b", floor: 9}, true, 0, 0}},
		"a server from its backup": {{0, place{floor: 9}, true, 0, 9}, {0, place{connection: 1, floor: 4}, true, 4, 0}},
		"a while later":            {{0, place{floor: 5}, true, 0, 5}, {every, place{floor: 9}, true, 9, 0}, {every / 2, place{floor: 9}, false, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var c course
			at := time.Unix(1000, 0)
			for i, l := range looks {
				at = at.Add(l.after)
				c.stands(l.at, at, every)
				if c.due != l.due || c.due && (c.from != l.from || c.sureFrom != l.sureFrom) {
					t.Errorf("look %d: due %v from %d, sure from %d", i+1, c.due, c.from, c.sureFrom)
				}
				c.due = false // it is reviewed
			}
		})
	}
	var c course
	c.stands(place{floor: 8}, time.Unix(1000, 0), every)
	task := c
	c.due = false
	c.stands(place{connection: 1, floor: 20}, time.Unix(1001, 0), every)
	c.again(task)
	if !c.due || c.from != 0 || c.sureFrom != 8 {
		t.Errorf("a review that failed begins at %d, sure from %d", c.from, c.sureFrom)
	}
}

// A long lane is reviewed in parts. A review that is interrupted goes on behind the last one.
func TestInterruptedReviewGoesOn(t *testing.T) {
	stop := errors.New("out of time")
	var parts [][2]uint64
	review := func(left int) func(from, to uint64) error {
		return func(from, to uint64) error {
			if left--; left < 0 {
				return stop
			}
			parts = append(parts, [2]uint64{from, to})
			return nil
		}
	}
	c := course{from: 7}
	if err := c.inParts(1, 250_000, review(2)); !errors.Is(err, stop) || c.from != 200_007 {
		t.Errorf("%v, behind %d", err, c.from)
	}
	if err := c.inParts(1, 250_000, review(9)); err != nil || c.from != 250_000 {
		t.Errorf("%v, behind %d", err, c.from)
	}
	c.from = 0
	if err := c.inParts(300_000, 300_001, review(9)); err != nil { // trimmed meanwhile
		t.Error(err)
	}
	if want := [][2]uint64{{8, 100_007}, {100_008, 200_007}, {200_008, 250_000}, {300_000, 300_001}}; !slices.Equal(parts, want) {
		t.Errorf("%v, want %v", parts, want)
	}
}
