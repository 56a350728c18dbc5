package consumers

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A consumer is able to deliver if a request waits and nothing forbids a delivery.
func TestSightOf(t *testing.T) {
	for name, c := range map[string]struct {
		info jetstream.ConsumerInfo
		able bool
	}{
		"a request waits":        {jetstream.ConsumerInfo{NumWaiting: 1}, true},
		"no worker":              {jetstream.ConsumerInfo{}, false},
		"paused":                 {jetstream.ConsumerInfo{NumWaiting: 1, Paused: true}, false},
		"workers hold the most":  {jetstream.ConsumerInfo{NumWaiting: 1, NumAckPending: 5, Config: jetstream.ConsumerConfig{MaxAckPending: 5}}, false},
		"workers hold a few":     {jetstream.ConsumerInfo{NumWaiting: 1, NumAckPending: 4, Config: jetstream.ConsumerConfig{MaxAckPending: 5}}, true},
		"no limit of held ones":  {jetstream.ConsumerInfo{NumWaiting: 1, NumAckPending: 9, Config: jetstream.ConsumerConfig{MaxAckPending: -1}}, true},
		"pending proves nothing": {jetstream.ConsumerInfo{NumPending: 9}, false},
	} {
		if got := sightOf(&c.info, 0).able; got != c.able {
			t.Errorf("%s: able %v, want %v", name, got, c.able)
		}
	}
}

// A minute counts from the look that found a copy due, and every look within it must
// have found the consumer at the same delivery, able to deliver.
func TestStuck(t *testing.T) {
	const s, after = time.Second, time.Minute
	first := sight{created: time.Unix(1, 0), deliveries: 7, able: true, last: 20}
	delivered, unable, held, longer, again := first, first, first, first, first
	delivered.deliveries, unable.able, held.held, longer.last, again.created = 8, false, 3, 21, time.Unix(2, 0)
	again.deliveries = 0
	type look struct {
		wait time.Duration // since the look before
		now  sight
		want verdict
		due  bool // the answer to doubtful
	}
	for name, looks := range map[string][]look{
		"stuck":                 {{0, first, works, false}, {10 * s, first, doubtful, true}, {50 * s, first, works, false}, {10 * s, first, lost, false}},
		"nothing is due":        {{0, first, works, false}, {10 * s, first, doubtful, false}, {10 * s, first, works, false}, {60 * s, first, works, false}},
		"a copy comes later":    {{0, first, works, false}, {10 * s, first, doubtful, false}, {60 * s, longer, doubtful, true}, {10 * s, longer, works, false}, {50 * s, longer, lost, false}},
		"it delivers":           {{0, first, works, false}, {10 * s, first, doubtful, true}, {50 * s, delivered, works, false}, {10 * s, delivered, doubtful, true}, {10 * s, delivered, works, false}},
		"no request in between": {{0, first, works, false}, {10 * s, first, doubtful, true}, {40 * s, unable, works, false}, {10 * s, first, works, false}, {10 * s, first, doubtful, true}},
		"another of its name":   {{0, first, works, false}, {10 * s, first, doubtful, true}, {55 * s, again, works, false}, {10 * s, again, doubtful, true}, {60 * s, again, lost, false}},
		"the hub stood still":   {{0, first, works, false}, {10 * s, first, doubtful, true}, {70 * s, first, works, false}, {10 * s, first, doubtful, true}},
		"workers hold copies":   {{0, first, works, false}, {10 * s, held, doubtful, true}, {60 * s, held, stuck, false}, {50 * s, held, stuck, false}, {10 * s, held, lost, false}},
		"they settle them":      {{0, first, works, false}, {10 * s, held, doubtful, true}, {60 * s, held, stuck, false}, {10 * s, first, lost, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var one still
			at := time.Unix(1000, 0)
			for i, l := range looks {
				at = at.Add(l.wait)
				got := one.look(l.now, at, after)
				if got != l.want {
					t.Fatalf("look %d: %d, want %d", i+1, got, l.want)
				}
				if got == doubtful {
					one.due(l.due)
				}
			}
		})
	}
}

// A consumer that was named is in order again when it, or the one after it, delivers, or
// a while after nobody waits any more.
func TestStuckIsOver(t *testing.T) {
	const s, after = time.Second, time.Minute
	first := sight{created: time.Unix(1, 0), deliveries: 7, able: true, last: 20}
	fresh, working, unable, moved := first, first, first, first
	fresh.created, fresh.deliveries = time.Unix(2, 0), 0
	working.created, working.deliveries = time.Unix(2, 0), 1
	unable.able, moved.deliveries = false, 8
	for name, c := range map[string]struct {
		wait time.Duration
		now  sight
		over bool
	}{
		"as it was":             {10 * s, first, false},
		"created again":         {10 * s, fresh, false},
		"which delivers":        {10 * s, working, true},
		"it delivers by itself": {10 * s, moved, true},
		"nobody waits":          {10 * s, unable, false},
		"for a while":           {60 * s, unable, true},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1000, 0)
			var one still
			one.look(first, at, after)
			one.look(first, at, after)
			one.due(true)
			at = at.Add(after)
			if got := one.look(first, at, after); got != lost || one.over(after) {
				t.Fatalf("%d, and over", got)
			}
			one.look(c.now, at.Add(c.wait), after)
			if got := one.over(after); got != c.over {
				t.Errorf("over %v, want %v", got, c.over)
			}
		})
	}
}
