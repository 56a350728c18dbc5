package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub"
)

// watcher is an OnPublish that gives each event a header and counts its outcomes.
type watcher struct {
	mu       sync.Mutex // guards the rest
	begun    map[string]int
	outcomes map[string][]error
}

func (w *watcher) onPublish(_ context.Context, ev *replhub.Event) func(replhub.Ack, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := ev.ID
	w.begun[id]++
	ev.Header["traceparent"] = []string{"of " + id}
	return func(ack replhub.Ack, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.outcomes[id] = append(w.outcomes[id], err)
	}
}

// OnPublish sees each event once, however it is published, may give it headers, and
// changes nothing of the caller's.
func TestOnPublishSeesEachEventOnce(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	w := &watcher{begun: make(map[string]int), outcomes: make(map[string][]error)}
	c := l.client(func(c *replhub.Config) { c.OnPublish = w.onPublish })
	shared := map[string][]string{"X-Own": {"1"}}
	event := func(key string) replhub.Event {
		return replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Header: shared}
	}
	var batch, all []replhub.Event
	for i := range 20 {
		batch, all = append(batch, event(fmt.Sprint(i))), append(all, event(fmt.Sprint(i)))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Publish(t.Context(), event("one"))
	must(err)
	p, err := c.PublishAsync(t.Context(), event("async"))
	must(err)
	_, err = p.Wait(t.Context())
	must(err)
	acks, err := c.PublishBatch(t.Context(), batch)
	must(err)
	more, err := c.PublishAll(t.Context(), all)
	must(err)
	if len(acks) != 20 || len(more) != 20 || batch[7].ID == "" || all[7].ID == "" {
		t.Errorf("%d and %d acknowledgements, ids %q %q", len(acks), len(more), batch[7].ID, all[7].ID)
	}
	stored := l.stored(s)
	if len(stored) != 42 {
		t.Fatalf("%d events stored", len(stored))
	}
	for _, m := range stored {
		id := m.Header.Get("Nats-Msg-Id")
		if w.begun[id] != 1 || len(w.outcomes[id]) != 1 || w.outcomes[id][0] != nil || m.Header["traceparent"][0] != "of "+id {
			t.Errorf("%s: begun %d, outcomes %v, headers %v", id, w.begun[id], w.outcomes[id], m.Header)
		}
	}
	if diff := cmp.Diff(map[string][]string{"X-Own": {"1"}}, shared); diff != "" {
		t.Errorf("the caller's header has changed:\n%s", diff)
	}
}

// Every event of a call that fails has an outcome, and only stored ones have none to
// complain of.
func TestOnPublishSeesEachFailure(t *testing.T) {
	l := newLab(t)
	l.openIngest()
	w := &watcher{begun: make(map[string]int), outcomes: make(map[string][]error)}
	c := l.client(func(c *replhub.Config) { c.OnPublish, c.MaxPending = w.onPublish, 1 })
	events := func(prefix string) []replhub.Event {
		var evs []replhub.Event
		for i := range 12 {
			evs = append(evs, replhub.Event{Entity: "user", Op: replhub.Update, ID: fmt.Sprint(prefix, i)})
		}
		evs[9].Op = "uptade"
		return evs
	}
	for prefix, publish := range map[string]func(context.Context, []replhub.Event) ([]replhub.Ack, error){"b": c.PublishBatch, "a": c.PublishAll} {
		acks, err := publish(t.Context(), events(prefix))
		if len(acks) != 9 || !errors.Is(err, replhub.ErrInvalidEvent) {
			t.Errorf("%s: %d acknowledgements, %v", prefix, len(acks), err)
		}
		for i := range 12 {
			out := w.outcomes[fmt.Sprint(prefix, i)]
			if len(out) != 1 || (out[0] == nil) != (i < 9) {
				t.Errorf("%s%d: outcomes %v", prefix, i, out)
			}
		}
	}
	c.Close()
	if _, err := c.PublishAsync(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, ID: "late"}); !errors.Is(err, replhub.ErrClosed) {
		t.Error(err)
	}
	if out := w.outcomes["late"]; len(out) != 1 || !errors.Is(out[0], replhub.ErrClosed) {
		t.Errorf("late: outcomes %v", out)
	}
}

// A header of the publisher's own stands, whatever its letter case.
func TestOwnTraceStandsInAnyCase(t *testing.T) {
	l := newLab(t)
	s := l.openIngest()
	c := l.client(func(c *replhub.Config) {
		c.Trace = func(context.Context) map[string]string { return map[string]string{"traceparent": "ctx"} }
	})
	if _, err := c.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Delete, Header: map[string][]string{"Traceparent": {"own"}}}); err != nil {
		t.Fatal(err)
	}
	if h := l.stored(s)[0].Header; h["Traceparent"][0] != "own" || h["traceparent"] != nil {
		t.Errorf("headers %v", h)
	}
}
