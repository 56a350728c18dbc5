package core_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

var seeds = flag.Uint64("seeds", 60, "how many runs TestRivals makes")

// TestRivals has two writers at one lane, with answers lost, requests that arrive long
// after they were given up, writers killed and interests that come and go. Whatever
// happens, each due event is there exactly once per registration, in order, and each
// row of a snapshot once.
func TestRivals(t *testing.T) {
	for seed := range *seeds {
		r := newRivals(t, seed)
		for range 500 {
			r.anything()
		}
		r.heal()
		r.judge()
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, r.story())
		}
	}
}

// rivals is a lane's stream as the server has it, and two writers.
type rivals struct {
	t       *testing.T
	rnd     *rand.Rand
	now     time.Time
	faults  bool
	events  []*event.Event
	rows    []string
	stream  []kept
	letters map[event.Position]bool
	writers [2]*writer
	// late are appends that were given up and may still arrive.
	late  []*sending
	names int
	// restores counts how often the server began with an older copy.
	restores int
}

type writer struct {
	lane    *core.Lane
	laws    laws
	open    *sending
	fetches map[int]core.FetchRows
	owned   bool
	edit    func(record.State) record.State
	waits   core.Wait
	// restores is rivals.restores when the writer last recorded.
	restores int
}

func newRivals(t *testing.T, seed uint64) *rivals {
	r := &rivals{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e6, 0), faults: true, letters: make(map[event.Position]bool)}
	for i := range 5 {
		r.rows = append(r.rows, "k"+strconv.Itoa(i+1))
	}
	r.write(kept{headers: map[string][]string{contract.HeaderState: {"1"}}, state: &record.State{Phase: record.Live}})
	for i := range r.writers {
		r.writers[i] = r.newWriter()
	}
	return r
}

func (r *rivals) newWriter() *writer {
	w := &writer{fetches: make(map[int]core.FetchRows), owned: true, laws: laws{t: r.t}}
	w.lane = core.New(core.Config{Service: name(r.t, "s"), Fast: true})
	w.laws.began()
	return w
}

func (r *rivals) chance(percent int) bool { return r.rnd.IntN(100) < percent }

// anything has one thing happen.
func (r *rivals) anything() {
	r.now = r.now.Add(time.Duration(r.rnd.IntN(2000)) * time.Microsecond)
	if r.chance(4) {
		r.now = r.now.Add(time.Second)
	}
	i := r.rnd.IntN(len(r.writers))
	w := r.writers[i]
	switch n := r.rnd.IntN(100); {
	case n < 6:
		r.publish()
	case n < 20 && len(r.late) > 0:
		r.arrive(r.late[r.rnd.IntN(len(r.late))], 1+r.rnd.IntN(3))
	case n < 22: // killed, and another begins
		r.giveUp(w)
		r.writers[i] = r.newWriter()
	case n < 25:
		w.owned = !w.owned
	case n < 26 && r.chance(20):
		r.restore()
	case n < 28 && w.edit == nil:
		w.edit = r.anyEdit()
	case n < 35:
		r.bringRows(w)
	default:
		r.step(w)
	}
}

// follow offers a writer an event at once.
func (r *rivals) follow(w *writer) {
	next := int(w.lane.Tip().State.Pos.Seq)
	if r.chance(40) {
		next += r.rnd.IntN(3) - 1 // not the one that it stands before
	}
	if next < 0 || next >= len(r.events) {
		return
	}
	ready := w.open != nil && !w.open.ended && r.chance(90)
	came, a := w.lane.Follow(r.now, r.now, r.events[next], ready, 1<<20)
	switch {
	case came != core.Copied:
	case r.chance(10):
		w.lane.Unsent()
	default:
		w.laws.next(a)
		r.append(w, a)
	}
}

func (r *rivals) publish() {
	entity := []string{"user", "tenant", "order"}[r.rnd.IntN(3)]
	data := `{"id":"1"}`
	if r.chance(5) {
		data = "x" // not for a filter
	}
	pos := event.Position{Epoch: 1, Seq: uint64(len(r.events) + 1)}
	e, err := event.Decode(pos, markAt(pos).Time, "db."+entity+".update", nil, []byte(data))
	if err != nil {
		r.t.Fatal(err)
	}
	r.events = append(r.events, e)
}

// end is the mark of the last event.
func (r *rivals) end() ingest.Mark {
	if len(r.events) == 0 {
		return ingest.Mark{Position: event.Position{Epoch: 1}}
	}
	return ingest.MarkOf(r.events[len(r.events)-1])
}

// anyEdit is a change of interests: a new one due from anywhere, with or without its
// owner's rows; one less; a backfill.
func (r *rivals) anyEdit() func(record.State) record.State {
	entity := []string{"user!", "tenant", "order"}[r.rnd.IntN(3)]
	since, kind := r.rnd.IntN(len(r.events)+1), r.rnd.IntN(5)
	end, now := r.end(), r.now
	r.names++
	id := fmt.Sprintf("i%d", r.names)
	return func(s record.State) record.State {
		in := parseInterest(r.t, entity)
		in.ID = id
		have := s.Find(in.Entity)
		switch {
		case have == nil && kind == 0:
			in.Since = event.Position{Epoch: 1, Seq: end.Seq + 1}
			return s.AddSnapshot(in, end, now)
		case have == nil:
			in.Since = event.Position{Epoch: 1, Seq: uint64(since) + 1}
			return s.Add(in, markAt(event.Position{Epoch: 1, Seq: uint64(since)}))
		case kind == 1:
			return s.End(in.Entity)
		case kind == 2:
			return s.Backfill(*have, record.Backfill{ID: id, At: end.Position, Began: now})
		}
		return s
	}
}

func (r *rivals) bringRows(w *writer) {
	for number, f := range w.fetches {
		if r.faults && r.chance(20) {
			w.lane.RowsLate(number, "no owner")
			return
		}
		var list []*event.Event
		of := event.RowOf{Entity: name(r.t, f.Interest.Entity), Snapshot: "x", Number: f.From.Row, Origin: "accounts"}
		for _, key := range r.rows[min(int(f.From.Row), len(r.rows)):] {
			if len(list) == 2 {
				break
			}
			of.Number++
			e, err := event.Row(r.end().Position, r.now, of, map[string][]string{contract.HeaderKey: {key}}, []byte(`{"id":"1"}`))
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, e)
		}
		w.lane.RowsCame(number, list, of.Origin)
		return
	}
}

// step has a writer do one step.
func (r *rivals) step(w *writer) {
	world := core.World{Now: r.now, Clock: r.now, Owned: w.owned, End: r.end().Position, MaxPayload: 1 << 20}
	if w.edit != nil {
		world.Change = core.WantsEdit
	}
	if w.open != nil && w.open.ended {
		w.open = nil
		w.laws.failed()
		w.lane.AppendEnded(core.Failure{Err: errors.New("ended"), Refused: true})
	}
	step := w.lane.Next(world)
	w.laws.next(step)
	if r.faults && r.chance(8) && r.failsAtRandom(w, step) {
		return
	}
	switch step := step.(type) {
	case core.Append:
		r.append(w, step)
	case core.Settle:
		r.close(w, w.lane.Settled)
	case core.Record:
		r.record(w, step)
	default:
		r.answer(w, step)
	}
}

// failsAtRandom has a step fail that only reads.
func (r *rivals) failsAtRandom(w *writer, step core.Step) bool {
	switch step.(type) {
	case core.ReadTip, core.ConfirmTip, core.CheckCursors, core.ReadEvents, core.Admit:
		r.giveUp(w)
		w.laws.failed()
		w.lane.Failed(core.Failure{Err: errors.New("away"), NewEpoch: r.chance(20)})
		return true
	case core.StoreLetter:
		w.lane.LetterFailed(errors.New("full"))
		return true
	}
	return false
}

func (r *rivals) answer(w *writer, step core.Step) {
	l := w.lane
	switch step := step.(type) {
	case core.ReadTip:
		tip := r.readTip()
		w.laws.tipRead(tip.Last)
		l.TipRead(tip)
	case core.ConfirmTip:
		tip, fenced := r.readTip(), l.Counts().Fenced
		if l.TipConfirmed(tip); l.Counts().Fenced > fenced {
			w.laws.tipRead(tip.Last)
		}
	case core.CheckCursors:
		l.CursorsChecked(step.State)
	case core.ReadEvents:
		b := ingest.Block{Before: step.From}
		for _, e := range r.events {
			if step.From.Before(e.Pos) && len(b.Events) < 1+r.rnd.IntN(6) {
				b.Events = append(b.Events, e)
			}
		}
		b.Events = contiguous(step.From.Position, b.Events)
		l.EventsRead(b, len(b.Events) == 0)
	case core.Admit:
		l.Admitted(step.Patient || r.chance(70))
	case core.StoreLetter:
		added := !r.letters[step.Event.Pos]
		r.letters[step.Event.Pos] = true
		l.LetterStored(added)
	case core.Edit:
		next := w.edit(step.Tip.State)
		l.Edited(core.Edited{Next: next, Changed: showState(next) != showState(step.Tip.State)})
	case core.Answer:
		w.edit = nil
		if step.Recorded && step.Err == nil && w.restores == r.restores && !slices.ContainsFunc(r.stream, func(m kept) bool {
			return m.state != nil && showState(*m.state) == showState(step.State)
		}) {
			r.t.Errorf("a change is said to be in force that is not in the lane: %s", showState(step.State))
		}
	case core.Diagnose:
		l.Diagnosed(step.Err)
	case core.FetchRows:
		w.fetches[step.Number] = step
	case core.DropRows:
		delete(w.fetches, step.Number)
	case core.Wait:
		w.waits = step
		for step.Stand && r.faults && r.chance(60) { // events come while it stands
			for range 1 + r.rnd.IntN(2) {
				r.publish()
			}
			r.follow(w)
		}
	default:
		r.t.Fatalf("%T", step)
	}
}

func contiguous(after event.Position, events []*event.Event) []*event.Event {
	for i, e := range events {
		if e.Pos.Seq != after.Seq+uint64(i)+1 {
			return events[:i]
		}
	}
	return events
}

// heal ends all faults, and has the first writer finish.
func (r *rivals) heal() {
	r.faults = false
	r.giveUp(r.writers[1])
	for _, s := range r.late {
		r.arrive(s, len(s.msgs))
	}
	w := r.writers[0]
	w.lane.Recheck() // another hub may have changed it
	w.owned = true
	for range 20_000 {
		r.now = r.now.Add(100 * time.Millisecond)
		r.bringRows(w)
		w.waits = core.Wait{}
		r.step(w)
		tip := w.lane.Tip().State
		done := tip.Pos.Position == r.end().Position && len(tip.Fills) == 0 || len(tip.Interests) == 0
		if w.waits != (core.Wait{}) && w.open == nil && w.edit == nil && done && w.lane.Read() {
			return
		}
	}
	r.t.Errorf("it does not recover: %s", showState(w.lane.Tip().State))
}
