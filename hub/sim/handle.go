package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
	"github.com/replhub/replhub/subjects"
)

// Outcomes of a handler, as the number of the action Handle. An event that its handler
// cannot handle fails whatever the number is.
const (
	handled = iota
	failed
	unavailable
	conflict
	waits
	waitsUnique
	invalid
	parked
	cutOff // the handlers' time is over

	outcomes
)

// errHandler is a handler's error.
var errHandler = errors.New("the handler refuses")

// attempt is a worker with a batch.
type attempt struct {
	batch *queue.Batch
	// part are the places that the handler has now, done those whose transaction is
	// committed, and acked whether they are acknowledged; storing says that a dead letter is on its way,
	// and burying that the attempt is to store one.
	part                          []int
	done, acked, storing, burying bool
	evidence                      queue.Evidence
}

// begin makes an idle worker take a batch.
func (i *instance) begin() {
	if i.core == nil || len(i.running) >= i.config().Workers {
		return
	}
	b := &queue.Batch{}
	if !i.core.Take(i.w.now, b) {
		i.perform()
		return
	}
	for k, j := range b.Jobs {
		i.begins(deliveryOf(j), b.Jobs[:k])
	}
	a := &attempt{batch: b, burying: b.Jobs[0].Burying()}
	b.Begin()
	i.running = append(i.running, a)
	i.perform()
	i.next(a)
}

// next gives the handler the next part of its batch, or ends the attempt.
func (i *instance) next(a *attempt) {
	switch {
	case !a.burying:
		a.part, a.done, a.acked = a.batch.Part(false, nil), false, false
	case a.part == nil:
		a.part = []int{0}
	default:
		a.part = nil
	}
	if len(a.part) == 0 {
		i.end(a)
	}
}

// isCut reports whether the time of a job's handler is over, because the instance
// releases the partition.
func isCut(j *queue.Job) bool { return deliveryOf(j).feed.ended }

// end reports an attempt to the scheduler.
func (i *instance) end(a *attempt) {
	i.running = slices.DeleteFunc(i.running, func(o *attempt) bool { return o == a })
	i.core.Done(i.w.now, a.batch)
	i.perform()
	i.drained()
}

// handle takes one of the handlers a step further: it commits, or fails, or its committed
// events are acknowledged.
func (i *instance) handle(n int) {
	if len(i.running) == 0 {
		return
	}
	a := i.running[n/outcomes%len(i.running)]
	b := a.batch
	switch outcome := i.outcome(a, n%outcomes); {
	case a.storing:
	case a.done:
		if !a.acked {
			i.settled(b.Of(a.part))
			a.acked = true // the scheduler is told a moment later
			return
		}
		b.Handled(a.part)
		i.next(a)
	case a.burying:
		i.bury(a)
	case outcome == handled:
		for _, k := range a.part {
			i.commit(deliveryOf(b.Jobs[k]))
		}
		a.done = true
	case outcome == cutOff && slices.ContainsFunc(a.part, func(k int) bool { return isCut(b.Jobs[k]) }):
		b.Cut(a.part, isCut)
		i.next(a)
	case len(a.part) > 1 && outcome == unavailable:
		b.Away(a.part, errHandler)
		i.next(a)
	case len(a.part) > 1:
		b.Halve(a.part)
		i.next(a)
	default:
		i.refused(a, outcome)
	}
}

// settled acknowledges events.
func (i *instance) settled(jobs []*queue.Job) {
	if i.w.cfg.Flaw != AckUntold {
		i.core.Acknowledging(i.w.now, jobs...)
	}
	for _, j := range jobs {
		i.acknowledge(queue.AckDone, j.Reply)
	}
}

// outcome is that of the handler, given the one that is asked for.
func (i *instance) outcome(a *attempt, asked int) int {
	for _, k := range a.part {
		if deliveryOf(a.batch.Jobs[k]).event.event.poison {
			return failed
		}
	}
	return asked
}

// refused takes a handler's error about one event.
func (i *instance) refused(a *attempt, outcome int) {
	j := a.batch.Jobs[a.part[0]]
	means := map[int]queue.Meaning{
		failed: queue.Failure, unavailable: queue.Unavailable, conflict: queue.Conflict, waits: queue.Waits, waitsUnique: queue.Waits,
		invalid: queue.Invalid, parked: queue.Parked, cutOff: queue.Failure,
	}[outcome]
	v := i.core.Judge(i.w.now, j, queue.Answer{Means: means, Err: errHandler, Unique: outcome == waitsUnique})
	i.w.trace("  %s: event %d is refused (%d): verdict %d", i.name, deliveryOf(j).event.index, outcome, v.Kind)
	if v.Kind == queue.Bury {
		a.evidence = v.Evidence
		i.bury(a)
		return
	}
	i.concluded(a, v)
}

// concluded notes the verdict of an event that was alone in its part.
func (i *instance) concluded(a *attempt, v queue.Verdict) {
	a.batch.Failed(a.part[0], v)
	if v.Kind == queue.Finished {
		i.settled(a.batch.Of(a.part)) // its dead letter is stored
	}
	a.done = true
	i.next(a)
}

// bury stores a dead letter. The event is settled once it is stored.
func (i *instance) bury(a *attempt) {
	w, j := i.w, a.batch.Jobs[a.part[0]]
	d := deliveryOf(j)
	a.storing = true
	if w.cfg.Flaw == LetterAfterAck {
		i.settled([]*queue.Job{j})
	}
	conclude := func(l queue.Letter) {
		a.storing = false
		v := i.core.Buried(w.now, j, l)
		v.Evidence = a.evidence
		i.concluded(a, v)
	}
	var ack model.Ack
	id := strings.Join([]string{i.service.text, d.event.event.id, head(d.headers[contract.HeaderRedriven]), i.created.String()}, "/")
	w.ask(i.asking, letterStream, "letter", func() error {
		var err error
		ack, err = w.deadLetters.Publish(model.Publish{Subject: subjects.DeadLetter(i.service.name, w.entityOf(d.Row.Entity), subjects.Update), ID: id, Value: letter{d.headers, d.event}}, w.now)
		if err == nil {
			w.judge.buried(i.index, d, ack.Duplicate)
		}
		return err
	}, func(err error) { conclude(queue.Letter{Stored: err == nil, Seq: ack.Seq}) })
}

// letterStream has the dead letters.
const letterStream = "DLQ"

// commit applies an event in the service's database by the inbox's rule: an event that is
// not newer than its row is skipped.
func (i *instance) commit(d *delivery) {
	i.w.Counts.Effects++
	i.w.judge.committed(i.index, d)
}

// rowOf is a row of a service's database.
type rowOf struct {
	service int
	row     queue.Row
}

// applied is what a row holds: the event that was applied last.
type applied struct {
	at    event.Position
	event int
	// newest is the newest event that a handler of the row was given.
	newest int
}

// handling is what the judge knows of instances and their databases.
type handling struct {
	rows map[rowOf]applied
	// lines are the copies of a row in its lane, in order; settled those copies that
	// were handled, or became dead letters.
	lines   map[rowOf][]uint64
	settled map[copyIn]bool
	letters map[copyOf]int
	// older are the lanes that were put back to an older copy of their stream. If ingest
	// loses events as well, no cursor notices that, and positions are used again.
	older map[string]bool
	// places are the positions under which copies of an event came into a lane. renamed are
	// the rows with an event that came under two positions: first in an epoch that was over
	// before a hub noticed that, and again by a registration. The copies between the two
	// may come again.
	places  map[copyOf]event.Position
	renamed map[rowOf]bool
	// cutShort are the interests, by lane and entity, of which one ended before its older
	// events were all copied: rows that such events set back stay there.
	cutShort map[string]bool
	// recreated counts the consumers of a lane that were deleted.
	recreated map[string]int
}

// copyIn is a copy by its place in a lane.
type copyIn struct {
	service int
	seq     uint64
}

func newHandling() handling {
	return handling{
		rows: make(map[rowOf]applied), lines: make(map[rowOf][]uint64), settled: make(map[copyIn]bool), letters: make(map[copyOf]int), older: make(map[string]bool),
		places: make(map[copyOf]event.Position), renamed: make(map[rowOf]bool), cutShort: make(map[string]bool),
		recreated: make(map[string]int),
	}
}

// lined takes a copy that a lane stored.
func (j *judge) lined(lane string, seq uint64, at event.Position, e *stored) {
	if !j.w.instanced {
		return
	}
	r := rowOf{j.w.service(lane), queue.Row{Entity: e.event.entity, Key: e.event.key}}
	j.lines[r] = append(j.lines[r], seq)
	of := copyOf{lane, e.index}
	if before, was := j.places[of]; was && before != at {
		j.renamed[r] = true
	}
	j.places[of] = at
}

// reused reports whether positions in a service's database may be used again for other
// events, which nobody can notice.
func (j *judge) reused(lane string) bool { return j.harmed && j.older[lane] }

// begins judges an event that a handler begins. In an ordered lane, every earlier event
// of its row was handled by some instance, or stands before it in the batch, and no other
// instance works on the row.
func (i *instance) begins(d *delivery, before []*queue.Job) {
	j := i.w.judge
	i.w.trace("  %s: begins %d (event %d, row %s), attempt %d", i.name, d.Seq, d.event.index, d.Row, d.Attempt())
	if len(i.running) >= i.config().Workers {
		j.fail("B: %s begins %d with %d handlers at work", i.name, d.Seq, len(i.running))
	}
	if d.Row.Key != "" && i.atWork(d.Row) {
		j.fail("O: %s begins %d of row %s twice at a time", i.name, d.Seq, d.Row)
	}
	if !i.ordered {
		return
	}
	if i.lapsedNow() || i.taken[d.Seq] <= i.lapsed {
		j.fail("O: %s begins %d, which it had before its lease was over", i.name, d.Seq)
	}
	for _, other := range i.w.members {
		if other != i && other.index == i.index && other.alive && !other.lapsedNow() && other.busy(d.Row) {
			j.fail("O: %s begins %d of row %s while %s is at work on it", i.name, d.Seq, d.Row, other.name)
		}
	}
	for _, seq := range j.lines[rowOf{i.index, d.Row}] {
		if seq < d.Seq && !j.settled[copyIn{i.index, seq}] && !slices.ContainsFunc(before, func(o *queue.Job) bool { return o.Seq == seq }) {
			j.fail("O: %s begins %d of row %s before %d", i.name, d.Seq, d.Row, seq)
		}
	}
}

// atWork reports whether a handler has an event of a row.
func (i *instance) atWork(row queue.Row) bool {
	return slices.ContainsFunc(i.running, func(a *attempt) bool {
		return slices.ContainsFunc(a.batch.Jobs, func(j *queue.Job) bool { return j.Row == row })
	})
}

// busy reports whether a handler has an event of a row by the lease that it began under.
func (i *instance) busy(row queue.Row) bool {
	return slices.ContainsFunc(i.running, func(a *attempt) bool {
		return slices.ContainsFunc(a.batch.Jobs, func(j *queue.Job) bool { return j.Row == row && i.taken[j.Seq] > i.lapsed })
	})
}

// committed takes an event that a handler has handled.
func (j *judge) committed(service int, d *delivery) {
	_, at := j.eventOf(d.headers)
	r := rowOf{service, d.Row}
	text := j.w.services[service].text
	j.settled[copyIn{service, d.Seq}] = true
	delete(j.again, copyIn{service, d.Seq})
	j.effects[copyOf{text, d.event.index}] = true
	excused := j.reused(text) || j.renamed[r] // see settleRows
	have, had := j.rows[r]
	newest := max(have.newest, d.event.index)
	if !had || have.at.Before(at) {
		// A row may go back from an event that ingest has lost.
		if had && have.event > d.event.index && !excused && !j.stored[have.event].gone {
			j.fail("O: row %s of %s goes back from event %d to %d", d.Row, text, have.event, d.event.index)
		}
		j.rows[r] = applied{at, d.event.index, newest}
		return
	}
	if have.event < d.event.index && !excused {
		j.fail("L: row %s of %s stays at event %d (%s), and leaves out %d (%s)", d.Row, text, have.event, have.at, d.event.index, at)
	}
	have.newest = newest
	j.rows[r] = have
}

// settleRows judges that rows which went back have come again to their newest event,
// unless ingest has lost that event, or the service ended its interest before the event
// was copied again.
func (j *judge) settleRows() {
	var broken []string
	for r, have := range j.rows {
		if text := j.w.services[r.service].text; have.event < have.newest && !j.stored[have.newest].gone && !j.reused(text) && (!j.renamed[r] || !j.cutShort[text+"/"+r.row.Entity]) {
			broken = append(broken, fmt.Sprintf("L: row %s of %s ends at event %d, before %d", r.row, text, have.event, have.newest))
		}
	}
	if len(broken) > 0 {
		j.fail("%s", slices.Min(broken))
	}
}

// buried takes a dead letter that was stored.
func (j *judge) buried(service int, d *delivery, again bool) {
	text := j.w.services[service].text
	j.settled[copyIn{service, d.Seq}] = true
	delete(j.again, copyIn{service, d.Seq})
	j.effects[copyOf{text, d.event.index}] = true
	if again {
		return
	}
	j.w.Counts.Letters++
	of := copyOf{text, d.event.index}
	// One letter for each consumer that there was (deadletter.go, letterID) and for each time
	// that the event came back; and a server that restarts does not know the id of a letter
	// that is removed.
	if j.letters[of]++; j.letters[of] > (1+j.recreated[text])*(1+j.times[of])+j.times[of] {
		j.fail("D: event %d has %d dead letters of %s", d.event.index, j.letters[of], text)
	}
	if d.Tries() == 0 {
		j.fail("P: event %d of %s is a dead letter, and was never tried", d.event.index, text)
	}
}
