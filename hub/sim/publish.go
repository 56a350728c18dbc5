package sim

import (
	"fmt"
	"time"

	"github.com/replhub/replhub/hub/sim/model"
)

// published is an event from its publisher's call on.
type published struct {
	id     string
	entity string
	acked  bool
	// key is the row's, where there are instances; poison an event that no handler can
	// handle.
	key    string
	poison bool
	// secret says that the event has a member that policies may hide.
	secret bool
}

// stored is an event in ingest.
type stored struct {
	event *published
	// index counts what ingest ever stored, in its order.
	index int
	seq   uint64
	// at is when, in nanoseconds; no two share it.
	at   int64
	gone bool
}

// publish sends an event.
func (w *World) publish(entity int) {
	e := &published{id: w.name("e"), entity: entities[entity%len(entities)], key: w.key(), secret: w.policies.on}
	w.judge.events = append(w.judge.events, e)
	w.Counts.Events++
	w.send(e)
}

// burst has ingest store events one behind the other, of one entity and the next.
func (w *World) burst(n int) {
	for i := range n {
		w.now = w.now.Add(time.Millisecond)
		w.publish(i)
		c := w.calls[len(w.calls)-1]
		w.serve(c)
		w.tell(c)
	}
}

// retry sends the oldest unanswered event of the last ones again.
func (w *World) retry() {
	events := w.judge.events
	for _, e := range events[max(0, len(events)-10):] {
		if !e.acked {
			w.send(e)
			return
		}
	}
}

func (w *World) send(e *published) {
	w.publishers++
	p := &process{name: fmt.Sprint("p", w.publishers%4)}
	w.ask(p, ingestStream, "publish", func() error {
		s := &stored{event: e, index: len(w.judge.stored)}
		ack, err := w.db.Publish(model.Publish{Subject: "db." + e.entity + ".update", ID: e.id, Data: e.data(), Value: s}, w.now)
		if err == nil && !ack.Duplicate {
			w.judge.published(e)
			s.seq, s.at = ack.Seq, w.now.UnixNano()
			w.judge.stored = append(w.judge.stored, s)
		}
		return err
	}, func(err error) {
		e.acked = e.acked || err == nil
	})
}

// key is the next event's: rows come again soon, in no fixed turn.
func (w *servers) key() string {
	if !w.instanced {
		return ""
	}
	const rows = 2
	n := uint64(w.Counts.Events)*0x9e3779b97f4a7c15 + 1
	return fmt.Sprint("k", (n>>33)%rows)
}

// data is the event's payload.
func (e *published) data() string {
	switch {
	case e.secret:
		return `{"id":"` + e.key + `","secret":"x"}`
	case e.key == "":
		return "{}"
	}
	return `{"id":"` + e.key + `"}`
}
