package sim

import (
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/sim/model"
)

// answered makes the receiver of a request's answer, which goes on with a step.
type answered func(step func() retention.Step) func(error)

// readLedger asks the ledger's leader for the document.
func (h *hub) readLedger(p *process, s retention.ReadLedger, answer answered) {
	w := h.w
	r, before := retention.Read{}, h.known
	w.ask(p, ledgerStream, "read", func() error {
		r.Now, p.forgets = w.now, w.forgets
		if m, err := w.ledger.GetLast(ledgerSubject); err == nil {
			r.Ledger, _ = m.Value.(retention.Ledger) // there is nothing else
			r.Revision = m.Seq
		}
		return nil
	}, answer(func() retention.Step {
		w.random = w.random*6364136223846793005 + 1442695040888963407
		r.Random = w.random
		return s.Then(r.Beside(before, h.known))
	}))
}

// writeLedger stores the document if its revision is still the expected one.
func (h *hub) writeLedger(p *process, s retention.WriteLedger, answer answered) {
	w := h.w
	stored := false
	w.ask(p, ledgerStream, "write", func() error {
		if s.Revision == 0 && p.forgets != w.forgets {
			return nil // a ledger that was written and deleted in between is not simulated
		}
		_, err := w.ledger.Publish(model.Publish{Subject: ledgerSubject, Value: s.Ledger, LastSubject: &s.Revision}, w.now)
		stored = err == nil
		if stored {
			w.judge.pins(s.Ledger)
		}
		w.trace("  %s: ledger %+v", p.name, s.Ledger)
		return nil
	}, answer(func() retention.Step {
		if stored {
			h.remember(p, &s.Ledger)
		}
		return s.Then(stored)
	}))
}

// remember keeps a ledger that an operation read or wrote, as package ingest does.
func (h *hub) remember(p *process, l *retention.Ledger) {
	h.sawLedger = p.forgets
	h.learn(l)
	if l.Replaces(h.known) {
		h.known = l
	}
}
