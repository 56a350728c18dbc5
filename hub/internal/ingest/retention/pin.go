package retention

import (
	"maps"
	"slices"
	"time"
)

// pinTTL bounds how long a registration that died half-way keeps ingest from being
// trimmed. A registration takes seconds; one that outlives its pin is refused.
const pinTTL = 10 * time.Minute

// maxReleased bounds the remembered released pins. If more pins are released between
// a trim's look and its compare-and-set, the trim looks again.
const maxReleased = 128

// Pin keeps ingest from a sequence on until it is released, or until a trim later than
// Until has fenced its lane.
type Pin struct {
	Seq   uint64    `json:"seq"`
	Until time.Time `json:"until"`
}

// Release is a pin that has ended. Its registration may by now be in a lane, with a
// since that is unknown to a trim that looked at the lanes before.
type Release struct {
	// Count is the ledger's count of pinnings at the release.
	Count uint64 `json:"count"`
	Seq   uint64 `json:"seq"`
}

// PinFrom keeps ingest from a sequence on until Unpin, at most for ten minutes. got
// is the sequence pinned: want, or the floor if want is below the floor. The floor
// cannot pass a pin, nor a pin be set below the floor.
func PinFrom(id string, want uint64, then func(got uint64, l Ledger) Step) Step {
	var got uint64
	return update(func(l *Ledger, now time.Time) (bool, error) {
		got = max(want, l.Floor)
		l.pin(id, got, now.Add(pinTTL))
		return true, nil
	}, func(l Ledger) Step { return then(got, l) })
}

// Unpin releases a pin; held reports whether it was still set.
func Unpin(id string, then func(held bool) Step) Step {
	var held bool
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		held = l.unpin(id)
		return held, nil
	}, func(Ledger) Step { return then(held) })
}

// LowestPin is the lowest sequence that a registration has pinned; ok is false when
// there is none. An expired pin counts until it is released.
func (l *Ledger) LowestPin() (seq uint64, ok bool) {
	for _, p := range l.Pins {
		if !ok || p.Seq < seq {
			seq, ok = p.Seq, true
		}
	}
	return seq, ok
}

// pin sets a pin. One registration may set several; the lowest counts.
func (l *Ledger) pin(id string, seq uint64, until time.Time) {
	if l.Pins == nil {
		l.Pins = make(map[string]Pin, 1)
	}
	if had, ok := l.Pins[id]; ok {
		seq = min(seq, had.Seq)
	}
	l.Pinnings++
	l.Pins[id] = Pin{Seq: seq, Until: until}
}

// unpin releases a pin, and reports whether there was one.
func (l *Ledger) unpin(id string) bool {
	p, held := l.Pins[id]
	if !held {
		return false
	}
	delete(l.Pins, id)
	l.Pinnings++
	l.Released = append(l.Released, Release{Count: l.Pinnings, Seq: p.Seq})
	if n := len(l.Released) - maxReleased; n > 0 {
		l.Forgotten = l.Released[n-1].Count
		l.Released = l.Released[n:]
	}
	return true
}

// overdue returns the expired pins.
func (l *Ledger) overdue(now time.Time) map[string]Pin {
	pins := make(map[string]Pin)
	for id, p := range l.Pins {
		if now.After(p.Until) {
			pins[id] = p
		}
	}
	return pins
}

// expire releases those pins that did not change since their lanes were fenced.
func (l *Ledger) expire(fenced map[string]Pin) {
	for _, id := range slices.Sorted(maps.Keys(fenced)) {
		if p, held := l.Pins[id]; held && p.Seq == fenced[id].Seq && p.Until.Equal(fenced[id].Until) {
			l.unpin(id)
		}
	}
}

// dropPins removes the pins of a stream that no longer exists.
func (l *Ledger) dropPins() {
	l.Pinnings++
	l.Pins, l.Released, l.Forgotten = nil, nil, l.Pinnings
}

// allowed is how far the floor may move towards want, for a trim that looked at the
// lanes when the count of pinnings was looked: up to the lowest pin that is set now,
// or was set or released since. known is false when some such pins are forgotten; the
// lanes must then be looked at again.
func (l *Ledger) allowed(want, looked uint64) (seq uint64, known bool) {
	if looked < l.Forgotten || looked > l.Pinnings {
		return 0, false
	}
	for _, p := range l.Pins {
		want = min(want, p.Seq)
	}
	for _, r := range l.Released {
		if r.Count > looked {
			want = min(want, r.Seq)
		}
	}
	return want, true
}
