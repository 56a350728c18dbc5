package sim

import (
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// What a writer does in a full lane, as package lane does it.

// measure answers Measure.
func (l *writer) measure() {
	var bytes int64
	w := l.h.w
	w.ask(l.self, l.service.text, "measure", func() error { bytes = w.lanes[l.service.text].Info().Bytes; return nil }, func(err error) {
		if err != nil {
			l.failed(late(err))
			return
		}
		l.lane.Measured(bytes)
		l.turn()
	})
}

// history is a look for copies that every worker is done with, however young.
func (l *writer) history() *laneTrim {
	return &laneTrim{h: l.h, index: l.index, s: l.service, self: l.self, known: l.h.now(), connection: l.h.connection, failed: func(err error) { l.failed(late(err)) }}
}

// findHistory answers FindHistory.
func (l *writer) findHistory() {
	l.history().step(history.NewLook(l.h.ingestNow()), func(f history.Found) {
		l.lane.HistoryFound(f.First, f.Keep)
		l.turn()
	})
}

// purgeHistory answers Purge: what may go is looked for once more.
func (l *writer) purgeHistory(p core.Purge) {
	t := l.history()
	t.step(history.NewLook(l.h.ingestNow()), func(f history.Found) {
		t.purgeBelow(record.Tip{StateSeq: p.Below}, f, func() {
			l.lane.Purged()
			l.turn()
		})
	})
}
