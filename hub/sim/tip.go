package sim

import (
	"errors"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/subjects"
)

// errNoLane is the server's word that there is no lane.
var errNoLane = errors.New("no such lane")

// readTip answers ReadTip.
func (l *writer) readTip() {
	l.h.w.readTip(l.self, l.service, func(tip record.Tip, err error) {
		if l.ends(err) {
			return
		}
		if err != nil {
			l.failed(late(err))
			return
		}
		l.lane.TipRead(tip)
		l.turn()
	})
}

// confirmTip answers ConfirmTip.
func (l *writer) confirmTip() {
	l.h.w.readTip(l.self, l.service, func(tip record.Tip, err error) {
		if l.ends(err) {
			return
		}
		if err != nil {
			l.failed(late(err))
			return
		}
		l.lane.TipConfirmed(tip)
		l.turn()
	})
}

// readTip reads the end of a lane as package lane does: how far the stream goes, its
// newest state record, and what lies behind that, each with a request of its own.
func (w *servers) readTip(p *process, s service, then func(record.Tip, error)) {
	var info model.Info
	w.ask(p, s.text, "tip", func() error {
		stream := w.lanes[s.text]
		if stream == nil {
			return errNoLane
		}
		info = stream.Info()
		return nil
	}, func(err error) {
		switch {
		case err != nil:
			then(record.Tip{}, err)
		case info.Last == 0:
			then(record.Tip{}, errNoLane)
		default:
			w.readState(p, s, info.Last, then)
		}
	})
}

func (w *servers) readState(p *process, s service, last uint64, then func(record.Tip, error)) {
	var m model.Message
	w.ask(p, s.text, "state", func() (err error) {
		m, err = w.lanes[s.text].GetLast(subjects.State(s.name))
		return err
	}, func(err error) {
		if err != nil {
			then(record.Tip{}, err)
			return
		}
		if m.Seq > last {
			w.readTip(p, s, then) // the lane moved while it was read
			return
		}
		tip := record.Tip{Last: last, StateSeq: m.Seq}
		if tip.State, err = record.Decode([]byte(m.Data)); err != nil {
			then(record.Tip{}, err)
			return
		}
		tip.State.Written = m.Time
		w.readBehind(p, s, tip, last, then)
	})
}

// readBehind goes back from the end of the lane to its state record.
func (w *servers) readBehind(p *process, s service, tip record.Tip, seq uint64, then func(record.Tip, error)) {
	if seq <= tip.StateSeq {
		then(tip, nil)
		return
	}
	var m model.Message
	found := false
	w.ask(p, s.text, "last", func() (err error) {
		m, err = w.lanes[s.text].Get(seq)
		found = err == nil
		return nil
	}, func(err error) {
		if err != nil {
			then(record.Tip{}, err)
			return
		}
		if h, is := m.Value.(headers); found && is {
			var done bool
			if tip, done = tip.Behind(h); done {
				then(tip, nil)
				return
			}
		}
		w.readBehind(p, s, tip, seq-1, then)
	})
}
