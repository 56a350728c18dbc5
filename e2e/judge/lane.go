package judge

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Registration is one service's interest in one entity, from the reply that
// registered it to the one that ended it.
type Registration struct {
	Service, Entity string
	// Since is the reply's.
	Since Position
	// Versions are its definitions, in their order; at least one.
	Versions []Version
	// After and Until bound the lane's sequences that hold its copies: behind
	// After, and up to Until; Until 0 is open, and then nothing may be missing.
	// What an ended registration had not been copied when it ended never comes.
	After, Until uint64
}

// LastDue is the last event that is to be copied under the newest version; ok is
// false when there is none.
func (r Registration) LastDue(events []Event) (p Position, ok bool) {
	newest := r.Versions[len(r.Versions)-1]
	for _, e := range slices.Backward(events) {
		if e.Compare(r.Since) < 0 {
			return Position{}, false
		}
		if e.Entity() == r.Entity && newest.expand(r.Service, e).copied {
			return e.Position, true
		}
	}
	return Position{}, false
}

// Version is a definition and when it came into force: for no event before From
// and for every event from By on, as ingest sequences. They differ where the
// reply that tells it was lost. For the first both are 0.
type Version struct {
	Definition
	From, By uint64
}

// Lane is all that a judgement of one service's lane is made of.
type Lane struct {
	Service string
	// Events are those of ingest in the order of their positions.
	Events []Event
	// Messages are the lane's in their order.
	Messages      []Message
	Registrations []Registration
	// Partitions is the number of queues when ordered by key, else 0.
	Partitions int
}

// Judge compares a lane with what its registrations are due.
func (l Lane) Judge() Verdict {
	v := Verdict{Service: l.Service}
	byPosition := make(map[Position]int, len(l.Events))
	for i, e := range l.Events {
		byPosition[e.Position] = i
	}
	claimed := make([]bool, len(l.Messages))
	for _, r := range l.Registrations {
		var own []Message
		for i, m := range l.Messages {
			if !m.isState() && m.entity() == r.Entity && m.LaneSeq > r.After && (r.Until == 0 || m.LaneSeq <= r.Until) {
				own = append(own, m)
				claimed[i] = true
			}
		}
		l.judgeRegistration(&v, r, own, byPosition)
	}
	partitionOf := map[string]string{}
	for i, m := range l.Messages {
		if m.isState() {
			continue
		}
		v.Copies++
		if !claimed[i] {
			v.nowhere("lane %d: %s is under no registration", m.LaneSeq, m.Subject)
			continue
		}
		if p, ok := m.position(); ok {
			if at, ok := byPosition[p]; ok {
				l.judgeMessage(&v, m, l.Events[at], partitionOf)
			}
		}
	}
	return v
}

// judgeMessage checks subject and headers of a copy.
func (l Lane) judgeMessage(v *Verdict, m Message, e Event, partitionOf map[string]string) {
	prefix := "sub." + l.Service + "." + e.Entity() + "." + e.Op() + "."
	partition, ok := strings.CutPrefix(m.Subject, prefix)
	if !ok {
		v.wrong("lane %d: subject %s for event %s on %s", m.LaneSeq, m.Subject, e.Position, e.Subject)
		return
	}
	n, err := strconv.Atoi(partition)
	if err != nil || n < 0 || n >= max(l.Partitions, 1) {
		v.wrong("lane %d: partition in %s", m.LaneSeq, m.Subject)
	}
	key := e.key()
	if had, seen := partitionOf[key]; (seen && had != partition) || (key == "" && partition != "0") {
		v.wrong("lane %d: key %q in partition %s, before in %q", m.LaneSeq, key, partition, had)
	}
	partitionOf[key] = partition
	got := maps.Clone(m.Header)
	for _, name := range []string{"Nats-Expected-Last-Sequence", "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"} {
		delete(got, name) // the server's own of the append
	}
	if want := header(e); !sameHeader(got, want) {
		v.wrong("lane %d: headers of event %s are %v, want %v", m.LaneSeq, e.Position, got, want)
	}
}

func sameHeader(a, b map[string][]string) bool {
	return maps.EqualFunc(a, b, slices.Equal)
}

// judgeRegistration compares a registration's copies with what it is due: it
// goes over both in ingest order.
func (l Lane) judgeRegistration(v *Verdict, r Registration, own []Message, byPosition map[Position]int) {
	copies := make(map[Position]Message, len(own))
	var last Position
	for _, m := range own {
		p, ok := m.position()
		if !ok {
			v.nowhere("lane %d: %s says no position", m.LaneSeq, m.Subject)
			continue
		}
		if _, known := byPosition[p]; !known {
			v.nowhere("lane %d: event %s is not in ingest", m.LaneSeq, p)
			continue
		}
		if _, twice := copies[p]; twice {
			v.twice("lane %d: event %s a second time, first at %d", m.LaneSeq, p, copies[p].LaneSeq)
			continue
		}
		if p.Compare(last) < 0 {
			v.reordered("lane %d: event %s behind %s", m.LaneSeq, p, last)
		}
		last = p
		copies[p] = m
	}
	walk{lane: l, registration: r, copies: copies, possible: []int{0}}.run(v)
}

// walk follows which of a registration's versions can be in force.
type walk struct {
	lane         Lane
	registration Registration
	copies       map[Position]Message
	possible     []int
}

func (w walk) run(v *Verdict) {
	r := w.registration
	var due []bool // for each event due: is it there
	var missing []Position
	for _, e := range w.lane.Events {
		if e.Entity() != r.Entity {
			continue
		}
		m, there := w.copies[e.Position]
		if e.Compare(r.Since) < 0 {
			if there {
				v.nowhere("lane %d: event %s is before since %s", m.LaneSeq, e.Position, r.Since)
			}
			continue
		}
		w.possible = w.reachable(e)
		fits, want := w.fitting(e, m, there)
		switch {
		case len(fits) > 0:
			w.possible = fits
			if there {
				due = append(due, true)
			}
			if want.dead {
				v.Dead = append(v.Dead, e.Position)
			}
		case !there:
			due = append(due, false)
			missing = append(missing, e.Position)
		case !want.copied:
			v.nowhere("lane %d: event %s is not due", m.LaneSeq, e.Position)
		default:
			v.wrong("lane %d: payload of event %s is %s, want %s", m.LaneSeq, e.Position, short(m.Data), short(want.data))
		}
	}
	w.lose(v, due, missing)
}

// reachable are the versions that can be in force at e.
func (w walk) reachable(e Event) []int {
	versions := w.registration.Versions
	low := w.possible[0]
	var can []int
	for i := low; i < len(versions); i++ {
		if e.Seq < versions[i].From {
			break
		}
		if i+1 < len(versions) && e.Seq >= versions[i+1].By {
			continue
		}
		can = append(can, i)
	}
	if len(can) == 0 {
		return []int{len(versions) - 1}
	}
	return can
}

// fitting are the versions under which what is there is what is due, and the
// outcome under the first definition, or under the first possible one.
func (w walk) fitting(e Event, m Message, there bool) (fits []int, want outcome) {
	for n, i := range w.possible {
		o := w.registration.Versions[i].expand(w.lane.Service, e)
		if n == 0 || len(fits) == 0 {
			want = o
		}
		if o.copied == there && (!there || o.same(m.Data)) {
			fits = append(fits, i)
		}
	}
	if len(fits) == 0 {
		want = w.registration.Versions[w.possible[0]].expand(w.lane.Service, e)
	}
	return fits, want
}

func (o outcome) same(data []byte) bool {
	if o.whole {
		return bytes.Equal(o.data, data)
	}
	got := decode(data)
	return got != nil && reflect.DeepEqual(decode(o.data), got)
}

// lose says where the missing ones lie: before, between or behind those that
// came. Behind the end of an ended registration nothing is due.
func (w walk) lose(v *Verdict, due []bool, missing []Position) {
	first, last := slices.Index(due, true), lastIndex(due)
	n := 0
	for i, there := range due {
		if there {
			continue
		}
		at := missing[n]
		n++
		place := Middle
		switch {
		case i > last:
			if w.registration.Until != 0 {
				continue
			}
			place = Tail
		case i < first:
			place = Prefix
		}
		v.lost(place, "event %s of %s (registered since %s)", at, w.registration.Entity, w.registration.Since)
	}
}

func lastIndex(due []bool) int {
	for i, there := range slices.Backward(due) {
		if there {
			return i
		}
	}
	return -1
}

func short(data []byte) string {
	const most = 200
	if len(data) > most {
		return fmt.Sprintf("%q… (%d bytes)", data[:most], len(data))
	}
	return fmt.Sprintf("%q", data)
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
