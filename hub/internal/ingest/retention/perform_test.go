package retention_test

import (
	"errors"
	"slices"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/subjects"
)

// The steps of a script's operations, as the model performs them.

func (w *world) until(o *op, kind string) {
	for {
		if _, over := o.next.(retention.Done); over || kindOf(o.next) == kind {
			return
		}
		w.step(o)
	}
}

func kindOf(s retention.Step) string {
	switch s.(type) {
	case retention.Look:
		return "look"
	case retention.ReadTime:
		return "time"
	case retention.ReadLedger:
		return "read"
	case retention.WriteLedger:
		return "write"
	case retention.LookAtLanes:
		return "lanes"
	case retention.Fence:
		return "fence"
	case retention.Purge:
		return "purge"
	}
	return ""
}

func (w *world) run(o *op) {
	for {
		if done, over := o.next.(retention.Done); over {
			if done.Err != nil {
				w.say("error: %v", done.Err)
			}
			return
		}
		w.step(o)
	}
}

// step performs one step on the model.
func (w *world) step(o *op) {
	switch s := o.next.(type) {
	case retention.Look:
		o.next = s.Then(w.bounds(), w.now)
	case retention.ReadTime:
		m, err := w.db.Get(s.Seq)
		o.next = s.Then(m.Time, err == nil)
	case retention.ReadNext:
		m, err := w.db.GetNext(s.Seq, ">")
		o.next = s.Then(m.Seq, m.Time, err == nil)
	case retention.ReadLedger:
		r := retention.Read{Known: w.known[o.hub], Now: w.now, Random: 1000}
		if m, err := w.ledger.GetLast("l"); err == nil {
			r.Ledger, r.Revision = m.Value.(retention.Ledger), m.Seq
		}
		o.next = s.Then(r)
	case retention.WriteLedger:
		_, err := w.ledger.Publish(model.Publish{Subject: "l", Value: s.Ledger, LastSubject: &s.Revision}, w.now)
		if err == nil {
			w.remember(o.hub, &s.Ledger)
			if s.Begins != nil {
				w.say("epoch %d begins at %d", s.Begins.Epoch, s.Begins.First)
			}
		}
		o.next = s.Then(err == nil)
	case retention.Remember:
		w.remember(o.hub, &s.Ledger)
		o.next = s.Then()
	case retention.LookAtLanes:
		last := w.db.Info().Last
		n := retention.NewNeed(last)
		for _, service := range w.lanes {
			n.Take(service, w.standings[service], *w.known[o.hub], last)
		}
		o.next = s.Then(n)
	case retention.Fence:
		w.say("fences %v, all %v", s.Services, s.All)
		unfenced := make(map[subjects.Name]error)
		for _, service := range w.lanes {
			if (w.standings[service].Err != nil || w.sealed[service]) && (s.All || slices.Contains(s.Services, service)) {
				unfenced[service] = errors.New("cannot be written")
			}
		}
		o.next = s.Then(unfenced)
	case retention.Purge:
		w.db.Purge(s.Below)
		o.next = s.Then()
	}
}

// document is the ledger as it is stored.
func (w *world) document() retention.Ledger {
	m, err := w.ledger.GetLast("l")
	if err != nil {
		panic(err)
	}
	return m.Value.(retention.Ledger)
}

func (w *world) remember(hub string, l *retention.Ledger) {
	if l.Replaces(w.known[hub]) {
		w.known[hub] = l
	}
}

func (w *world) bounds() retention.Bounds {
	info := w.db.Info()
	b := retention.Bounds{First: max(info.First, 1), Last: info.Last, FirstTime: info.FirstTime, Messages: info.Msgs, Bytes: uint64(info.Bytes), Created: info.Created}
	if info.Msgs == 0 {
		b.First = b.Last + 1
		return b
	}
	if last, err := w.db.Get(info.Last); err == nil {
		b.LastTime = last.Time
	}
	return b
}
