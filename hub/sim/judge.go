package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// judge records everything that happened, and reports which guarantee was broken first:
// L (no event is lost), D (each copy once), O (order), P (no copy without an event and an
// interest), V (all work is finished after the faults), B (state stays bounded).
type judge struct {
	w      *World
	broken string
	// events are all that were published, stored those that ingest ever stored, by
	// the time as well, which no two share.
	events []*published
	stored []*stored
	// states are the state records in force, by lane.
	states map[string]record.State
	// copied are the copies, by interest and event. last is the last copied event of
	// each interest.
	copied map[copyOf]bool
	last   map[string]int
	// effects are what workers made of copies, by service and event.
	effects map[copyOf]bool
	answers []answer
	// ended are the services' entities that were requested to be unregistered.
	ended map[string]bool
	// over is since when an interest is in no state record any more.
	over map[string]time.Time
	// since is where each interest is pinned; beyond are those that begin behind the end
	// of an ingest which lost its tail: no event proves where that was.
	since  map[string]uint64
	beyond map[string]bool
	// pinned are the pins of the stored ledger, unpinned those that were in it before.
	pinned, unpinned map[string]retention.Pin
	// laneOf is the lane of each interest that has copies. lost are interests that a lane
	// lost with an older copy of its stream.
	laneOf map[string]string
	lost   map[string]bool
	// handOf is the record made by hand that an interest was registered from, firstOf the
	// interest that such a record made.
	handOf  map[string]int
	firstOf map[int]string
	// harmed says that events of ingest were lost by hand or by a disk.
	harmed bool
	handling
	redriven
	rewound
	private
}

// copyOf is the key of something that must exist once: an event for an interest, or for
// a service.
type copyOf struct {
	of    string
	event int
}

// answer is a registration that was answered.
type answer struct {
	service, entity, id string
	// from is the first event that is due, as an index of stored.
	from int
}

func newJudge(w *World) *judge {
	return &judge{
		w: w, states: make(map[string]record.State), copied: make(map[copyOf]bool), last: make(map[string]int),
		effects: make(map[copyOf]bool), ended: make(map[string]bool), over: make(map[string]time.Time),
		since: make(map[string]uint64), beyond: make(map[string]bool), laneOf: make(map[string]string), lost: make(map[string]bool),
		unpinned: make(map[string]retention.Pin),
		handOf:   make(map[string]int), firstOf: make(map[int]string), handling: newHandling(),
		redriven: redriven{back: make(map[string]map[uint64]bool), cameBackAt: make(map[copyIn]*stored), times: make(map[copyOf]int)},
		private:  private{inForce: make(map[string]uint64), wentBackAt: make(map[string]time.Time), unmarked: make(map[string]bool)},
		rewound:  rewound{rewinds: make(map[string]string), again: make(map[copyIn]bool)},
	}
}

// fail notes the first guarantee that is broken.
func (j *judge) fail(format string, args ...any) {
	if j.broken == "" {
		j.broken = fmt.Sprintf(format, args...)
	}
}

// gone notes events that the servers lost: they are no longer due to any service.
func (j *judge) gone(which func(seq uint64) bool) {
	j.harmed = true
	for _, s := range j.stored {
		s.gone = s.gone || which(s.seq)
	}
}

// rolledBack notes that ingest lost its tail.
func (j *judge) rolledBack(last uint64) {
	for id, since := range j.since {
		j.beyond[id] = j.beyond[id] || since > last
	}
	for _, s := range j.states {
		for _, in := range s.Interests {
			// The pin of a registration that was tried again lies before its since.
			if _, begun := j.last[in.ID]; !begun {
				j.beyond[in.ID] = j.beyond[in.ID] || in.Since.Seq > last
			}
		}
	}
}

// recorded checks a state record that a lane stored. Ingest is never purged by hand here,
// so there is never a reason to detach a lane.
func (j *judge) recorded(lane string, s record.State) {
	if s.Detached != nil {
		j.fail("L: lane %s is detached: %s", lane, s.Detached.Reason)
	}
	for _, in := range j.states[lane].Interests {
		if kept := s.Find(in.Entity); kept == nil || kept.ID != in.ID {
			j.over[in.ID] = j.w.now
			if !j.states[lane].Live(in.ID) {
				j.cutShort[lane+"/"+in.Entity] = true
			}
		}
	}
	for _, in := range s.Interests {
		delete(j.lost, in.ID)
		j.adopted(lane, in.ID)
	}
	j.rewindRecorded(lane, s)
	j.states[lane] = s
	j.w.trace("  lane %s: record at %s, interests %v, fills %v, %s", lane, s.Pos, asJSON{s.Interests}, s.Fills, s.Phase)
}

// asJSON is a value in the form for a trace, without addresses.
type asJSON struct{ of any }

func (v asJSON) String() string {
	data, err := json.Marshal(v.of)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// pins takes a ledger that was stored. A pin that has ended must not come back: ingest
// would not be trimmed until it runs out. Only where the ledger was deleted, hubs may give
// back pins that another hub has released since they read it.
func (j *judge) pins(l retention.Ledger) {
	for id, p := range l.Pins {
		_, interest := cut(id)
		j.since[interest] = p.Seq
		if was, ended := j.unpinned[id]; ended && j.w.forgets == 0 && was.Until.Equal(p.Until) {
			j.fail("B: the ledger has pin %s again, which had ended", id)
		}
	}
	for id, p := range j.pinned {
		if _, still := l.Pins[id]; !still {
			j.unpinned[id] = p
		}
	}
	j.pinned = l.Pins
}

// published checks an event that ingest stores. A publisher that sends the event again
// within the dedupe window must not create a second event.
func (j *judge) published(e *published) {
	for _, s := range j.stored {
		if s.event == e && !s.gone && j.w.now.Sub(time.Unix(0, s.at)) < dedupe {
			j.fail("D: ingest holds event %s twice", e.id)
		}
	}
}

// appended takes a copy of a hub that a lane stored.
func (j *judge) appended(by *hub, lane string, seq uint64) {
	m, err := j.w.lanes[lane].Get(seq)
	h, is := m.Value.(headers)
	if err != nil || !is {
		j.fail("P: lane %s holds a message that no writer appended", lane)
		return
	}
	mark, ok := record.CopyMark(h)
	e := j.at(mark.Time.UnixNano())
	if !ok || e == nil {
		j.fail("P: lane %s holds the copy of no event: %v", lane, mark)
		return
	}
	j.w.Counts.Copies++
	j.w.trace("  lane %s: copy of %s, event %d", lane, mark.Position, e.index)
	state := j.states[lane]
	in := state.Find(e.event.entity)
	switch {
	case in == nil:
		j.fail("P: lane %s holds a copy of %s %s without an interest", lane, e.event.entity, mark.Position)
		return
	case mark.Before(in.Since):
		j.fail("P: lane %s holds the copy of %s, which is due from %s", lane, mark.Position, in.Since)
		return
	}
	key := copyOf{in.ID, e.index}
	if j.copied[key] {
		j.fail("D: lane %s holds event %s (%d) twice for interest %s", lane, mark.Position, e.index, in.ID)
	}
	if last, had := j.last[in.ID]; had && e.index < last {
		j.fail("O: lane %s holds event %d behind %d of interest %s", lane, e.index, last, in.ID)
	}
	j.copied[key], j.last[in.ID], j.laneOf[in.ID] = true, e.index, lane
	j.obeys(by, lane, e, h, false)
	j.lined(lane, seq, mark.Position, e)
}

// eventOf is the event of a copy, redriven or not, and the copy's position; nil if there
// is none.
func (j *judge) eventOf(h headers) (*stored, event.Position) {
	pos, ok := event.ParsePosition(head(h[contract.HeaderPosition]))
	at, err := time.Parse(time.RFC3339Nano, head(h[contract.HeaderTime]))
	if !ok || err != nil {
		return nil, pos
	}
	return j.at(at.UnixNano()), pos
}

// at is the event that ingest stored at a time.
func (j *judge) at(nanos int64) *stored {
	low, high := 0, len(j.stored)
	for low < high {
		mid := (low + high) / 2
		switch at := j.stored[mid].at; {
		case at < nanos:
			low = mid + 1
		case at > nanos:
			high = mid
		default:
			return j.stored[mid]
		}
	}
	return nil
}

// ending notes a request to unregister.
func (j *judge) ending(service, entity string) { j.ended[service+"/"+entity] = true }

// registered takes a registration that is answered: what it is due from.
func (j *judge) registered(c *change, s record.State) {
	in := s.Find(c.entity)
	if in != nil {
		if over, is := j.over[in.ID]; is && over.Before(c.began) {
			j.fail("L: lane %s answers with interest %s, which was over before it was asked", c.service.text, in.ID)
		}
	}
	if in == nil || j.ended[c.service.text+"/"+c.entity] && in.ID != c.id {
		return
	}
	from := len(j.stored)
	for i := len(j.stored) - 1; i >= 0 && (j.stored[i].gone || j.stored[i].seq >= in.Since.Seq); i-- {
		if !j.stored[i].gone {
			from = i
		}
	}
	j.answers = append(j.answers, answer{c.service.text, c.entity, in.ID, from})
}

// settle judges what must hold once everything has come to rest.
func (j *judge) settle() {
	j.settleRows()
	j.settleRedriven()
	j.settleRewinds()
	known := j.w.hubs[0].known
	for _, a := range j.answers {
		state := j.states[a.service]
		in := state.Find(a.entity)
		if j.beyond[a.id] || j.lost[a.id] {
			continue
		}
		if in == nil || in.ID != a.id {
			if !j.ended[a.service+"/"+a.entity] {
				j.fail("L: the registration of %s for %s (%s) is lost", a.service, a.entity, a.id)
			}
			continue
		}
		for _, e := range j.stored[a.from:] {
			// If ingest lost its tail before any cursor had reached the lost events, no hub
			// can notice. Events stored under the lost sequences then lie below the since.
			if e.gone || e.event.entity != a.entity || known.PositionOf(e.seq).Before(in.Since) {
				continue
			}
			if !j.copied[copyOf{a.id, e.index}] {
				j.fail("L: event %d (sequence %d, %s) never came into lane %s (interest %s from event %d)", e.index, e.seq, e.event.id, a.service, a.id, a.from)
				return
			}
			if !j.effects[copyOf{a.service, e.index}] {
				j.fail("L: event %d came into lane %s and had no effect", e.index, a.service)
				return
			}
		}
	}
}

// bounded judges the state that must not grow.
func (j *judge) bounded() {
	const mostCalls = 500
	if len(j.w.calls) > mostCalls {
		j.fail("B: %d requests on their way", len(j.w.calls))
	}
	for _, h := range j.w.hubs {
		if h.known != nil && (len(h.known.Released) > 128 || len(h.known.Pins) > 200) {
			j.fail("B: the ledger holds %d pins and %d released ones", len(h.known.Pins), len(h.known.Released))
		}
	}
}
