package sim

import (
	"errors"
	"strconv"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/hub/sim/model"
)

// errSilent: the reader of ingest is gone with the life of ingest that it read.
var errSilent = errors.New("the reader of ingest fell silent")

// maxPayload is the server's.
const maxPayload = 1 << 20

// writer is a hub's writer of one lane: it performs the steps of core.Lane.
type writer struct {
	h       *hub
	index   int
	service service
	self    *process
	lane    *core.Lane
	changes []*change
	copies  []model.Publish // of the redrive under way
	// heldRead is when the lane was last read while it was held.
	heldRead time.Time
	// reader is the reader of live events, filler that of a fill; nil where none is open.
	reader, filler *reader
	batch          *batch
	// waits is set while the step is a Wait; until is when it ends by itself, zero
	// for never.
	waits  *core.Wait
	until  time.Time
	nudged bool
	// connection is the hub's when the writer last looked.
	connection int
	table      *match.Table // with the flaw TableNotRecord
}

// reader reads ingest contiguously from a mark on, within one life of ingest.
type reader struct {
	life int
	next uint64
}

func newWriter(h *hub, i int) *writer {
	l := &writer{h: h, index: i, service: h.w.services[i]}
	l.self = &process{name: h.name + "/" + l.service.text, hub: h}
	l.lane = core.New(core.Config{Service: l.service.name, Fast: h.w.fast, Compile: h.w.compile, Expand: l.expand})
	return l
}

// expand is match.Table.Expand, with the flaw by the first table that there was.
func (l *writer) expand(t *match.Table, e *event.Event) match.Decision {
	if l.h.w.cfg.Flaw == TableNotRecord {
		if l.table == nil {
			l.table = t
		}
		t = l.table
	}
	return t.Expand(e)
}

// compile compiles an interest once.
func (w *World) compile(in record.Interest, of *record.Snapshot) (*match.Interest, error) {
	key := in.ID + "/" + in.Since.String() + "/" + strconv.Itoa(in.Rev)
	if in.Policy != nil {
		key += "/" + strconv.FormatUint(in.Policy.Rev, 10)
	}
	// A change that was lost is decided again.
	if ready := w.compiled[key]; ready != nil {
		return ready, nil
	}
	ready, err := in.CompileFor(of)
	w.compiled[key] = ready
	return ready, err
}

// world is what the driver tells core.Lane at each step, beside its answers.
func (l *writer) world() core.World {
	w := core.World{Now: l.h.now(), Clock: l.h.ingestNow(), Owned: l.h.owns[l.index], MaxPayload: maxPayload}
	if len(l.changes) > 0 {
		w.Change = core.WantsEdit
		if l.changes[0].choose != nil {
			w.Change = core.WantsRedrive
		}
	}
	w.Held = l.held()
	if k := l.h.known; k != nil && len(k.Epochs) > 0 {
		w.End = k.PositionOf(l.h.w.db.Info().Last)
	}
	return w
}

// held reports whether the lane's state has an older policy than was in force. Such a lane
// is read again now and then.
func (l *writer) held() bool {
	if in, _ := l.lane.Tip().State.Behind(l.h.known); in == nil {
		return false
	}
	if now := l.h.now(); now.Sub(l.heldRead) > time.Second {
		l.heldRead = now
		l.lane.Recheck()
	}
	return true
}

// nudge ends a wait soon.
func (h *hub) nudge(service int) {
	if l := h.writers[service]; l != nil {
		l.nudged = true
	}
}

// recheck makes the writer read a lane again that another hub may have changed.
func (h *hub) recheck(service int) {
	if l := h.writers[service]; l != nil {
		l.lane.Recheck()
		l.nudged = true
	}
}

// announce tells the other hubs that a lane was changed. The message may come late.
func (w *World) announce(service int, by *hub) {
	for _, h := range w.hubs {
		if h == by {
			continue
		}
		w.ask(&process{name: h.name + "/news"}, "", "news", func() error {
			if h.alive {
				h.recheck(service)
			}
			return nil
		}, nil)
	}
}

// wake ends a wait that is over.
func (h *hub) wake(service int) {
	h.find(service)
	if l := h.writers[service]; l != nil && l.ready() {
		l.waits, l.nudged = nil, false
		l.turn()
	}
}

// ready reports whether a wait may end now.
func (l *writer) ready() bool {
	if l.waits == nil {
		return false
	}
	return l.nudged || !l.until.IsZero() && !l.h.now().Before(l.until) ||
		l.waits.Events && l.lane.Tip().State.Pos.Seq != l.h.w.db.Info().Last
}

// turn takes steps until one needs an answer, or waits.
func (l *writer) turn() {
	for more := true; more; {
		l.observe()
		step := l.lane.Next(l.world())
		l.h.w.trace("  %s: %T", l.self.name, step)
		more = l.step(step)
		l.lane.Notes()
	}
}

// observe notes that the hub's connection was lost.
func (l *writer) observe() {
	if l.connection == l.h.connection {
		return
	}
	l.connection = l.h.connection
	l.reader, l.filler = nil, nil
	l.dropBatch()
	l.lane.Reconnected()
}

// dropBatch gives up the open append. Its messages that were sent stay on their way.
func (l *writer) dropBatch() {
	if l.batch != nil {
		l.batch.writer = nil
		l.batch = nil
	}
}

// step does one step; it reports whether the next one may follow at once.
func (l *writer) step(step core.Step) bool {
	switch s := step.(type) {
	case core.ReadTip:
		l.reader, l.filler = nil, nil
		l.readTip()
	case core.ConfirmTip:
		l.confirmTip()
	case core.CheckCursors:
		l.checkCursors(s.State)
	case core.ReadEvents:
		l.read(s)
	case core.Append:
		return l.append(s)
	case core.Settle:
		l.settle()
	case core.Record:
		l.record(s)
	case core.Edit:
		l.changes[0].edit(l, s.Tip)
	case core.Measure:
		l.measure()
	case core.FindHistory:
		l.findHistory()
	case core.Purge:
		l.purgeHistory(s)
	case core.Wait:
		return l.wait(s)
	default:
		return l.local(s)
	}
	return false
}

// local does a step that needs no server.
func (l *writer) local(step core.Step) bool {
	switch s := step.(type) {
	case core.Admit:
		l.lane.Admitted(true)
	case core.Diagnose:
		l.batch = nil
		l.lane.Diagnosed(s.Err)
	case core.Answer:
		c := l.changes[0]
		l.changes = l.changes[1:]
		c.answered(l, s)
	case core.Prove:
		l.lane.Proved(false, "are not acknowledged")
	case core.RefuseChanges:
		for _, c := range l.changes {
			c.answered(l, core.Answer{Err: s.Err})
		}
		l.changes = nil
	case core.Recall:
		l.h.w.judge.fail("the state record of lane %s is lost", l.service.text)
		l.lane.Recalled(record.State{})
	default:
		l.h.w.judge.fail("the simulation has no step %T", s)
		l.lane.Failed(core.Failure{Err: errLost})
	}
	return true
}

func (l *writer) wait(s core.Wait) bool {
	l.waits, l.until = &s, time.Time{}
	if s.D > 0 {
		l.until = l.h.now().Add(s.D)
	}
	return false
}

// failed answers with a failure.
func (l *writer) failed(f core.Failure) {
	l.h.w.trace("  %s: failed: %+v", l.self.name, f)
	l.lane.Failed(f)
	l.dropBatch()
	l.turn()
}

// late is the failure of a request without an answer, or of one that was refused for
// another reason than its sequence.
func late(err error) core.Failure { return core.Failure{Err: err, Late: errors.Is(err, errLost)} }

// checkCursors checks the position and the fills.
func (l *writer) checkCursors(s record.State) {
	if s.Detached != nil || len(s.Interests) == 0 {
		l.lane.CursorsChecked(s)
		l.turn()
		return
	}
	l.h.perform(l.self, retention.ResumeAll(s.Cursors(), func(cursors []ingest.Mark) retention.Step {
		s = s.WithCursors(cursors)
		return retention.Done{}
	}), nil, func(err error) {
		switch {
		case errors.Is(err, ingest.ErrTrimmed):
			l.lane.CursorsGone(err.Error())
			l.turn()
		case err != nil:
			l.failed(late(err))
		default:
			l.lane.CursorsChecked(s)
			l.turn()
		}
	})
}

// blockEvents is how many events a read brings at most.
const blockEvents = 3

// read reads the events behind a mark. A reader that has to be opened first is proven
// to begin behind the mark's event.
func (l *writer) read(s core.ReadEvents) {
	w, open := l.h.w, &l.reader
	if s.Fill {
		open = &l.filler
	}
	if *open == nil {
		l.openReader(s, open)
		return
	}
	if (*open).next != s.From.Seq+1 {
		*open = nil // another lane's record moved the cursor
		l.openReader(s, open)
		return
	}
	r := *open
	var events []*event.Event
	w.ask(l.self, ingestStream, "events", func() (err error) {
		events, err = l.contiguous(r)
		return err
	}, func(err error) {
		if err != nil {
			*open = nil
			l.failed(core.Failure{Err: err, NewEpoch: errors.Is(err, errSilent)})
			return
		}
		r.next += uint64(len(events))
		l.lane.EventsRead(ingest.Block{Events: events, Before: s.From}, len(events) == 0)
		l.turn()
	})
}

// openReader opens a reader, which the server begins at the latest behind its last event.
// Reading continues when the mark's event is proven to be still there.
func (l *writer) openReader(s core.ReadEvents, open **reader) {
	w := l.h.w
	r := &reader{next: s.From.Seq + 1}
	w.ask(l.self, ingestStream, "open", func() error { r.life = w.life; return nil }, func(err error) {
		if err != nil {
			l.failed(late(err))
			return
		}
		*open = r
		if w.cfg.Flaw == ReaderUnproven {
			l.read(s)
			return
		}
		l.h.perform(l.self, l.h.known.Prove(s.From, func(is bool) retention.Step {
			if !is || s.To.Seq == 0 {
				return proven(is)
			}
			return l.h.known.Prove(s.To, proven)
		}), nil, func(err error) {
			if err != nil {
				*open = nil
				l.failed(core.Failure{Err: err, NewEpoch: errors.Is(err, errSilent)})
				return
			}
			l.read(s)
		})
	})
}

// proven ends the proof of a reader.
func proven(is bool) retention.Step {
	if !is {
		return retention.Done{Err: errSilent}
	}
	return retention.Done{}
}

// contiguous reads the next events of a reader, as the server has them.
func (l *writer) contiguous(r *reader) ([]*event.Event, error) {
	w := l.h.w
	if r.life != w.life {
		return nil, errSilent
	}
	info := w.db.Info()
	var events []*event.Event
	for seq := r.next; seq <= info.Last && len(events) < blockEvents; seq++ {
		m, err := w.db.Get(seq)
		if err != nil {
			return nil, errSilent // a gap
		}
		header := map[string][]string{"Nats-Msg-Id": {m.ID}}
		e, err := event.Decode(l.h.known.PositionOf(seq), m.Time, m.Subject, header, []byte(m.Data))
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
