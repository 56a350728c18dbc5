package tally

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// LateAfter is how long after its acknowledgement an event is looked for.
	LateAfter = 5 * time.Second
	// unknownAfter is when an event without an acknowledgement is given up.
	unknownAfter = 90 * time.Second
	// endedFor is how long a registration whose end was answered is remembered:
	// a rewind may bring its copies back.
	endedFor = 2 * time.Minute
	// maxExamples bounds the examples that are kept of each fault.
	maxExamples = 20
)

// Totals are a service's counts.
type Totals struct {
	Copies, Redelivered uint64
	// Lost is final; Overdue may still come.
	Lost, Overdue uint64
	Duplicates    uint64
	Inversions    uint64
	// Wrong counts copies that no registration allows, Stray those of
	// registrations that are forgotten.
	Wrong, Stray uint64
}

// Add is the sum of two.
func (t Totals) Add(o Totals) Totals {
	return Totals{
		Copies: t.Copies + o.Copies, Redelivered: t.Redelivered + o.Redelivered, Lost: t.Lost + o.Lost,
		Overdue: t.Overdue + o.Overdue, Duplicates: t.Duplicates + o.Duplicates, Inversions: t.Inversions + o.Inversions,
		Wrong: t.Wrong + o.Wrong, Stray: t.Stray + o.Stray,
	}
}

// Place is where in a registration events were lost.
type Place string

// The places: before the first copy that came, behind the last, or in between.
const (
	Prefix Place = "prefix"
	Middle Place = "middle"
	Tail   Place = "tail"
)

// Finding is one fault.
type Finding struct {
	Service, Entity string
	Seq             uint64
	What            string // "lost prefix", "duplicate" and so on
	At              time.Time
	// Detail says more; Story is what was asked of the service around it.
	Detail string
	Story  []string
}

// String is the finding in a line, and its story in further ones.
func (f Finding) String() string {
	text := fmt.Sprintf("%s %s event %d: %s %s", f.Service, f.Entity, f.Seq, f.What, f.Detail)
	return strings.Join(append([]string{text}, f.Story...), "\n      ")
}

// Service is the account of one service. It may be used concurrently.
type Service struct {
	name    string
	ordered bool
	events  *Events
	story   *Story

	mu       sync.Mutex // guards the rest
	current  []*Registration
	ended    map[*Registration]time.Time
	totals   Totals
	lost     map[Place]uint64
	findings []Finding
}

// NewService begins the account of a service; ordered says that its keys have
// an order.
func NewService(name string, ordered bool, events *Events, story *Story) *Service {
	return &Service{
		name: name, ordered: ordered, events: events, story: story,
		ended: make(map[*Registration]time.Time), lost: make(map[Place]uint64),
	}
}

// EntityName is an entity's name.
func EntityName(entity int) string { return fmt.Sprintf("e%d", entity) }

// Copy is one handled delivery.
type Copy struct {
	Entity, Key int
	Seq         uint64 // in ingest
	// ID tells copies of one event apart. It is not 0.
	ID uint32
	// Lane is the copy's lane sequence, 0 when it is not known.
	Lane uint64
}

// Handled notes that a worker has handled a copy.
func (s *Service) Handled(c Copy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(c)
	if r == nil {
		s.totals.Stray++
		return
	}
	if r.since > 0 && c.Seq < r.since {
		s.wrong(r, c.Seq, "before the registration's since")
		return
	}
	if r.lastLane > 0 && c.Lane > r.lastLane {
		s.wrong(r, c.Seq, "behind the registration's end")
		return
	}
	switch r.copies.add(c.Seq, c.ID, c.Lane) {
	case again:
		s.totals.Redelivered++
	case duplicate:
		s.totals.Duplicates++
		s.note(r, c.Seq, "duplicate", fmt.Sprintf("lane sequence %d", c.Lane))
	case first:
		s.totals.Copies++
		s.place(r, c)
	}
}

// place notes a first handling.
func (s *Service) place(r *Registration, c Copy) {
	if r.lowest == 0 || c.Seq < r.lowest {
		r.lowest = c.Seq
	}
	r.highest = max(r.highest, c.Seq)
	if r.lastOfKey == nil {
		return
	}
	last := &r.lastOfKey[c.Key%Keys]
	if c.Seq < *last {
		s.totals.Inversions++
		s.note(r, c.Seq, "inversion", fmt.Sprintf("key %d, behind event %d", c.Key, *last))
		return
	}
	*last = c.Seq
}

// find is the registration that a copy was made for.
func (s *Service) find(c Copy) *Registration {
	for _, r := range slices.Backward(s.current) {
		if r.entity == c.Entity && (c.Lane > 0 && c.Lane > r.firstLane || c.Lane == 0 && c.Seq > r.firstSeq) {
			return r
		}
	}
	return nil
}

func (s *Service) wrong(r *Registration, seq uint64, detail string) {
	s.totals.Wrong++
	s.note(r, seq, "not due", detail)
}

func (s *Service) note(r *Registration, seq uint64, what, detail string) {
	if len(s.findings) >= maxExamples {
		return
	}
	at := s.events.TimeOf(seq)
	s.findings = append(s.findings, Finding{
		Service: s.name, Entity: EntityName(r.entity), Seq: seq, What: what, At: at, Detail: detail,
		Story: s.story.Around(s.name, at),
	})
}

// Begin notes that an interest is about to be asked for. Copies of earlier
// registrations of the entity lie at or before lane, in ingest at or before seq.
func (s *Service) Begin(entity int, mask Mask, lane, seq uint64) *Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Registration{entity: entity, versions: []version{{must: mask, may: mask}}, firstLane: lane, firstSeq: seq}
	if s.ordered {
		r.lastOfKey = make([]uint64, Keys)
	}
	s.current = append(s.current, r)
	return r
}

// Began notes the answer: events from since on are due.
func (s *Service) Began(r *Registration, since uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.since = max(since, 1)
	r.checked = r.since - 1
	if r.lowest > 0 && r.lowest < r.since {
		s.wrong(r, r.lowest, "before the registration's since")
	}
}

// Refused notes that the registration was not made.
func (s *Service) Refused(r *Registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = slices.DeleteFunc(s.current, func(o *Registration) bool { return o == r })
}

// Changing notes that another definition is about to be asked for, which may
// hold from an event on.
func (s *Service) Changing(r *Registration, from uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.unsure = max(from, 1)
}

// Changed notes that it holds from the event "by" on, and may have from the
// event "from" on.
func (s *Service) Changed(r *Registration, mask Mask, from, by uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.change(mask, from, by)
}

// Since is where a registration begins.
func (s *Service) Since(r *Registration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.since
}

// Highest is the highest event of a registration that was handled.
func (s *Service) Highest(r *Registration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.highest
}

// End notes that a registration's end is about to be asked for; the lane has
// dealt with everything up to an event.
func (s *Service) End(r *Registration, position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.closing, r.required = true, position
}

// Ended notes the answer; lane is the lane's last sequence then.
func (s *Service) Ended(r *Registration, lane uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.lastLane = lane
	s.ended[r] = time.Now()
}

// Sweep looks for what is overdue.
func (s *Service) Sweep(now time.Time) {
	s.sweep(s.events.LastAt(now.Add(-LateAfter)), s.events.LastAt(now.Add(-unknownAfter)))
}

func (s *Service) sweep(soft, hard uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.current {
		if n := r.sweep(s.events, soft, hard); n > 0 {
			s.totals.Wrong += n
			s.note(r, r.audited, "not due", fmt.Sprintf("%d copies that the filter does not let pass", n))
		}
	}
	s.current = slices.DeleteFunc(s.current, func(r *Registration) bool {
		at, ended := s.ended[r]
		if !ended || time.Since(at) < endedFor || len(r.missing) > 0 {
			return false
		}
		delete(s.ended, r)
		return true
	})
}

// Complete looks at everything acknowledged until now, and reports how many
// events are missing. Where none is, and every registration has ended, nothing
// more is due.
func (s *Service) Complete() (missing int) {
	last := s.events.Last()
	s.sweep(last, last)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.current {
		missing += len(r.missing)
		if r.since == 0 {
			missing++
		}
	}
	if missing > 0 {
		return missing
	}
	for _, r := range s.current {
		if r.closing {
			r.required, r.frozen = r.bound(), true
		}
	}
	return 0
}

// Forget ends the account of all registrations: what is missing is lost.
func (s *Service) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.current {
		for missing := r.missing; len(missing) > 0; {
			n := r.together(missing)
			place := r.place(missing[0])
			s.lost[place] += uint64(n)
			s.totals.Lost += uint64(n)
			s.note(r, missing[0], "lost", fmt.Sprintf("%s, %d events to %d; %s", place, n, missing[n-1], r.describe()))
			missing = missing[n:]
		}
	}
	s.current = nil
	clear(s.ended)
}

// together is how many of the first missing events have nothing that came
// between them.
func (r *Registration) together(missing []uint64) int {
	for n := 1; n < len(missing); n++ {
		for seq := missing[n-1] + 1; seq < missing[n]; seq++ {
			if r.copies.has(seq) {
				return n
			}
		}
	}
	return len(missing)
}

func (r *Registration) place(seq uint64) Place {
	switch {
	case r.lowest == 0 || seq > r.highest:
		return Tail
	case seq < r.lowest:
		return Prefix
	default:
		return Middle
	}
}

func (r *Registration) describe() string {
	text := fmt.Sprintf("since %d, copies %d to %d", r.since, r.lowest, r.highest)
	if r.closing {
		text += fmt.Sprintf(", ended behind %d", r.required)
	}
	return text
}

// Totals are the counts until now.
func (s *Service) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.totals
	for _, r := range s.current {
		t.Overdue += uint64(len(r.missing))
	}
	return t
}

// Lost is how many events were lost at a place.
func (s *Service) Lost(place Place) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost[place]
}

// Findings are examples of what is wrong.
func (s *Service) Findings() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.findings)
}
