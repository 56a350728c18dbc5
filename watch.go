package replhub

import (
	"context"
	"maps"
)

// watched are events under the eyes of Config.OnPublish. Without it, they are the
// caller's own, and nothing else happens.
type watched struct {
	events []Event
	done   []func(Ack, error) // nil without OnPublish; an entry may be nil
}

// watch announces events to OnPublish, which may give them headers. The caller's events
// stay as they are.
func (c *Client) watch(ctx context.Context, events []Event) watched {
	if c.cfg.OnPublish == nil {
		return watched{events: events}
	}
	w := watched{events: make([]Event, len(events)), done: make([]func(Ack, error), len(events))}
	copy(w.events, events)
	for i := range w.events {
		w.done[i] = c.announce(ctx, &w.events[i])
	}
	return w
}

// announce announces one event, whose Header becomes a map of its own.
func (c *Client) announce(ctx context.Context, ev *Event) func(Ack, error) {
	if ev.ID == "" {
		ev.ID = newID()
	}
	header := make(map[string][]string, len(ev.Header)+2)
	maps.Copy(header, ev.Header)
	ev.Header = header
	return c.cfg.OnPublish(ctx, ev)
}

// ended tells the outcome of each event.
func (w watched) ended(o outcomes) {
	for i, done := range w.done {
		if done != nil {
			done(o.acks[i], o.errs[i])
		}
	}
}

// outcomes are those of several events: an error, or an acknowledgement.
type outcomes struct {
	acks []Ack
	errs []error
}

func newOutcomes(n int) outcomes { return outcomes{acks: make([]Ack, n), errs: make([]error, n)} }

// add puts the outcomes of further events behind.
func (o *outcomes) add(more outcomes) {
	o.acks, o.errs = append(o.acks, more.acks...), append(o.errs, more.errs...)
}

// stored puts acknowledgements behind.
func (o *outcomes) stored(acks []Ack) {
	o.acks, o.errs = append(o.acks, acks...), append(o.errs, make([]error, len(acks))...)
}

// leading returns the acknowledgements before the first error, and that error.
func (o *outcomes) leading() ([]Ack, error) {
	for i, err := range o.errs {
		if err != nil {
			return o.acks[:i:i], err
		}
	}
	return o.acks, nil
}
