package core_test

import (
	"errors"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// The stream of TestRivals, as its server has it, and what is on the way to it.

// kept is a message of the lane's stream; its sequence is its index, from 1.
type kept struct {
	headers map[string][]string
	state   *record.State
}

// sending is an append on its way: the server takes its messages in order, each behind
// the sequence that it states, and ends it at the first that does not fit.
type sending struct {
	msgs   []kept
	expect uint64
	// whole is stored as a whole or not at all.
	whole bool
	ended bool
}

func (r *rivals) write(m kept) { r.stream = append(r.stream, m) }

// restore has the lane's server begin with an older copy of the stream. All requests that
// are under way are lost. Either both writers lose their connections, or the server is
// one of a cluster, and needs a while.
func (r *rivals) restore() {
	r.stream = r.stream[:1+r.rnd.IntN(len(r.stream))]
	r.late = nil
	r.restores++
	told := r.chance(50)
	if !told {
		r.now = r.now.Add(5 * time.Second)
	}
	for _, w := range r.writers {
		switch {
		case told:
			w.open = nil
			w.laws.failed()
			w.lane.Reconnected()
		case w.open != nil:
			w.open.ended, w.open.msgs = true, nil
		}
	}
}

// arrive has the server take some of the messages of an append.
func (r *rivals) arrive(s *sending, n int) {
	if s.whole {
		n = len(s.msgs)
	}
	for ; n > 0 && len(s.msgs) > 0 && !s.ended; n-- {
		if uint64(len(r.stream)) != s.expect && (!s.whole || n == len(s.msgs)) {
			s.ended = true
			return
		}
		r.write(s.msgs[0])
		s.msgs = s.msgs[1:]
		s.expect++
	}
}

// giveUp leaves what a writer has on its way to its fate.
func (r *rivals) giveUp(w *writer) {
	if w.open != nil {
		r.late = append(r.late, w.open)
		w.open = nil
	}
}

func (r *rivals) readTip() record.Tip {
	tip := record.Tip{Last: uint64(len(r.stream))}
	for i, m := range slices.Backward(r.stream) {
		if m.state != nil {
			tip.State, tip.StateSeq = *m.state, uint64(i+1)
			break
		}
	}
	for seq := tip.Last; seq > tip.StateSeq; seq-- {
		var found bool
		if tip, found = tip.Behind(r.stream[seq-1].headers); found {
			break
		}
	}
	return tip
}

// append sends copies, into an append that is open or not.
func (r *rivals) append(w *writer, a core.Append) {
	if a.How == core.Whole || a.How == core.Open {
		w.open = &sending{expect: a.Last}
	}
	for _, m := range a.Msgs {
		h := m.Header.Clone()
		h[contract.HeaderExpectedLastSeq] = []string{"x"}
		w.open.msgs = append(w.open.msgs, kept{headers: h})
	}
	if a.How == core.Whole || a.How == core.Close {
		r.close(w, w.lane.Stored)
		return
	}
	r.arrive(w.open, r.rnd.IntN(4))
	w.laws.sent()
	w.lane.Sent()
}

func (r *rivals) record(w *writer, rec core.Record) {
	state := rec.State
	w.restores = r.restores
	w.open = &sending{expect: rec.Last, whole: true, msgs: []kept{{
		headers: map[string][]string{contract.HeaderState: {"1"}, contract.HeaderExpectedLastSeq: {"x"}}, state: &state,
	}}}
	r.close(w, func() { w.lane.Recorded(100) })
}

// close has the rest of an append arrive, and its answer, unless either is lost on the
// way or comes late.
func (r *rivals) close(w *writer, stored func()) {
	if r.faults && r.chance(10) {
		r.arrive(w.open, r.rnd.IntN(4)) // the rest may come later
		r.giveUp(w)
		w.laws.failed()
		w.lane.Failed(core.Failure{Err: errors.New("late"), Late: true})
		return
	}
	r.arrive(w.open, len(w.open.msgs))
	lost := r.faults && r.chance(10)
	switch ended := w.open.ended; {
	case lost:
		w.laws.failed()
		w.lane.Failed(core.Failure{Err: errors.New("late"), Late: true})
	case ended:
		w.laws.failed()
		w.lane.Failed(core.Failure{Err: errors.New("refused"), Refused: true})
	default:
		w.laws.stored()
		stored()
	}
	w.open = nil
}
