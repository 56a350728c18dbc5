package sim

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
)

// laneTrim is one trim of a lane by the hub that owns it, as package lane does it. It
// finds the copies that may be purged, renews the state record if it lies among them, and
// checks everything once more before the purge.
type laneTrim struct {
	h     *hub
	index int
	s     service
	self  *process
	// known is when what is known of the lane was read, connection the hub's by then.
	known      time.Time
	connection int
	seen       *seeing
	// rewound is the last rewind when the record was last read, lane what distinguishes the
	// lane from an earlier one.
	rewound, lane string
	// failed takes the error of a look that did not come to its end.
	failed func(error)
}

// trimLane begins a trim of a lane.
func (h *hub) trimLane(i int) {
	if h.writers[i] == nil || !h.owns[i] || h.trimmingLane[i] || h.rewinding[i] {
		return
	}
	h.trimmingLane[i] = true
	t := &laneTrim{h: h, index: i, s: h.w.services[i]}
	t.self = &process{name: h.name + "/" + t.s.text + ".trim", hub: h}
	t.failed = func(error) { t.end() }
	t.look(func(tip record.Tip, f history.Found) {
		switch {
		case f.Keep <= f.First:
			t.end()
		case tip.StateSeq < f.Keep:
			t.renew()
		default:
			t.look(t.purge)
		}
	})
}

var errNoConsumer, errRewinding = errors.New("no consumer"), errors.New("the workers are being rewound")

// before are the consumers that were seen and are from before the last rewind of a state.
func (t *laneTrim) before(s record.State) (names []string) {
	if t.rewound = ""; s.Rewound != nil {
		t.rewound = s.Rewound.ID
	}
	for name, info := range t.seen.infos {
		if !s.OfRewind(info.Tag, t.lane) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (t *laneTrim) end() { t.h.trimmingLane[t.index] = false }

// renew has the lane's writer write its state record again.
func (t *laneTrim) renew() {
	c := &change{w: t.h.w, service: t.s, self: t.self, renewed: func(err error) {
		if err != nil {
			t.end()
			return
		}
		t.look(t.purge)
	}}
	c.queue(t.h, t.index)
}

// purge purges what was found, as far as the stream as it is now allows.
func (t *laneTrim) purge(tip record.Tip, f history.Found) { t.purgeBelow(tip, f, t.end) }

func (t *laneTrim) purgeBelow(tip record.Tip, f history.Found, done func()) {
	w := t.h.w
	var last uint64
	w.ask(t.self, t.s.text, "last", func() error { last = w.lanes[t.s.text].Info().Last; return nil }, func(err error) {
		below := history.Below(f, tip.StateSeq, last)
		if err != nil {
			t.failed(err)
			return
		}
		if below == 0 || t.connection != t.h.connection || t.h.now().Sub(t.known) > core.ConfirmAfter {
			done()
			return
		}
		// A purge that another hub has sent before a rewind was recorded is not simulated.
		w.ask(t.self, t.s.text, "purge", func() error {
			if w.judge.rewinds[t.s.text] != t.rewound {
				return nil
			}
			w.Counts.LaneTrimmed += int(w.lanes[t.s.text].Purge(below))
			return nil
		}, func(err error) {
			if err != nil {
				t.failed(err)
				return
			}
			done()
		})
	})
}

// look reads the tip, and finds what may go.
func (t *laneTrim) look(then func(record.Tip, history.Found)) {
	t.known, t.connection = t.h.now(), t.h.connection
	t.h.w.readTip(t.self, t.s, func(tip record.Tip, err error) {
		if err != nil {
			t.end()
			return
		}
		t.step(history.NewLook(t.h.ingestNow().Add(-keepLane)), func(f history.Found) { then(tip, f) })
	})
}

// keepLane is how long a lane's copies are kept.
const keepLane = time.Second

// step answers the next question of a look.
func (t *laneTrim) step(l *history.Look, then func(history.Found)) {
	w := t.h.w
	stream := func() *model.Stream { return w.lanes[t.s.text] }
	ask := func(what string, serve, answer func()) {
		w.ask(t.self, t.s.text, what, func() error { serve(); return nil }, func(err error) {
			if err != nil {
				t.failed(err)
				return
			}
			answer()
			t.step(l, then)
		})
	}
	switch s := l.Next().(type) {
	case history.SeeStream:
		var info model.Info
		ask("bounds", func() { info, t.lane = stream().Info(), laneOf(stream()) }, func() { l.StreamSeen(info.First, info.Last, info.Msgs, info.FirstTime) })
	case history.SeeConsumers:
		seen := t.seeing()
		t.seen = seen
		ask("consumers", seen.serve, func() { l.ConsumersSeen(seen.floors()) })
	case history.SeeRecord:
		var state record.State
		ask("record", func() { state = w.judge.states[t.s.text] }, func() { l.RecordSeen(w.consumers(t.s), t.before(state)) })
	case history.SeeMatch:
		var seq uint64
		ask("match", func() {
			if m, err := stream().GetLast(w.filter(t.s, s.Consumer)); err == nil {
				seq = m.Seq
			}
		}, func() { l.MatchSeen(seq) })
	case history.SeeTime:
		var m model.Message
		found := false
		ask("stored", func() {
			var err error
			m, err = stream().Get(s.Seq)
			found = err == nil
		}, func() { l.TimeSeen(m.Time, found) })
	case history.SeeHeld:
		l.HeldSeen(math.MaxUint64) // no dead letters here
		t.step(l, then)
	case history.Rewinding:
		t.failed(errRewinding)
	case history.Missing:
		t.failed(errNoConsumer)
	case history.Found:
		then(s)
	}
}

// seeing is a question about all consumers of a lane.
type seeing struct {
	t       *laneTrim
	infos   map[string]model.ConsumerInfo
	asked   time.Time
	leading time.Duration
	last    uint64
}

func (t *laneTrim) seeing() *seeing { return &seeing{t: t, asked: t.h.now()} }

func (s *seeing) serve() {
	s.infos, s.leading = s.t.h.w.consumerInfos(s.t.s)
	s.last = s.t.h.w.lanes[s.t.s.text].Info().Last
}

// floors are the consumers' floors as the answer tells them.
func (s *seeing) floors() map[string]uint64 {
	t, infos, leading, asked, last := s.t, s.infos, s.leading, s.asked, s.last
	at := make(map[string]history.Consumer)
	for name, info := range infos {
		at[name] = history.Consumer{
			Created: info.Created, Held: info.AckPending, Pending: info.Pending,
			Delivered: history.Place{Stream: info.Delivered.Stream, Consumer: info.Delivered.Consumer},
			AckFloor:  history.Place{Stream: info.AckFloor.Stream, Consumer: info.AckFloor.Consumer},
			Start:     info.Start, Leading: leading,
		}
	}
	floors := t.h.standings[t.index].Look(at, asked, t.h.now())
	for name, info := range infos {
		if t.h.w.cfg.Flaw == PendingIsProof && info.Pending == 0 && info.AckPending == 0 {
			floors[name] = last
		}
	}
	return floors
}

// consumerInfos are what the server says of a lane's consumers: as they are, or as they
// were when the server began to lag behind. leading is how long their leader had led; 0
// for consumers without replicas, whose leader does not say.
func (w *servers) consumerInfos(s service) (infos map[string]model.ConsumerInfo, leading time.Duration) {
	if old, lags := w.lagging[s.text]; lags && w.now.Before(old.until) {
		return old.infos, old.leading
	}
	if w.replicated(s.text) {
		leading = max(w.now.Sub(w.leads[s.text]), 1)
	}
	infos = make(map[string]model.ConsumerInfo)
	w.everyConsumer(s, func(name string, c *model.Consumer) {
		info := c.Info()
		if info.AckPending > 0 && w.misleads(s.text) {
			info.AckPending = 0
		}
		infos[name] = info
	})
	return infos, leading
}

// replicated reports whether a lane's consumers have replicas.
func (w *servers) replicated(text string) bool { return text == w.services[1].text }

// misleads reports whether a leader that begins, and has not read its store, answers
// about a lane's consumers. Of the leaders of a lane without replicas only one does in a
// run: each has milliseconds for it, and begins only with its server.
func (w *servers) misleads(text string) bool {
	since, began := w.leads[text]
	if !began || w.now.Sub(since) >= beginTime {
		return false
	}
	if first, was := w.misled[text]; was && !first.Equal(since) && !w.replicated(text) {
		return false
	}
	w.misled[text] = since
	return true
}

// beginTime is how long a new leader of a consumer reports that no worker holds a copy.
// On a real server it is milliseconds (package history, standing.go).
const beginTime = time.Second

// lag is what a server that lags behind says of consumers, until it has caught up.
type lag struct {
	infos   map[string]model.ConsumerInfo
	leading time.Duration
	until   time.Time
}

// lagTime is for how long a server lags behind.
const lagTime = 3 * time.Second

// lag freezes the answers about a lane's consumers for a while.
func (w *servers) lag(text string) {
	if n := w.service(text); n >= 0 && w.lanes[text] != nil {
		delete(w.lagging, text)
		if infos, leading := w.consumerInfos(w.services[n]); len(infos) > 0 {
			w.lagging[text] = lag{infos, leading, w.now.Add(lagTime)}
		}
	}
}
