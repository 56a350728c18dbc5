package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// copyTraces counts what a hub tells of copies with a trace.
type copyTraces struct {
	mu    sync.Mutex // guards the rest
	begun map[string]int
	done  map[string]int
	bad   []string
}

func (c *copyTraces) traced(of hub.CopyTrace) func(error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := strings.Join([]string{of.Service, of.Stream, of.Subject, of.Traceparent, of.Tracestate, of.Reason + of.Redriven}, " ")
	c.begun[id]++
	return func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.done[id]++
		if err != nil {
			c.bad = append(c.bad, fmt.Sprint(id, ": ", err))
		}
	}
}

// A hub tells of each copy of an event with a trace, and of no other, once it is stored:
// of single appends and of those that stay open, of a dead letter in a copy's place, and of
// the copy that comes back from it.
func TestCopiesWithATraceAreTold(t *testing.T) {
	w := newWorld(t)
	traces := &copyTraces{begun: make(map[string]int), done: make(map[string]int)}
	w.startHub(func(c *hub.Config) { c.Traced = traces.traced })
	w.register("sharing", `{"entities":["user"]}`)
	w.register("audit", `{"interests":[{"entity":"user","filter":"data.name != ''"}]}`)
	w.publish("db.user.create", `{"id":"1","name":"a"}`, "traceparent", "one", "tracestate", "s=1")
	w.publish("db.user.create", `{"id":"2","name":"a"}`)
	w.publish("db.user.update", `{"id":"3"}`, "Traceparent", "other case")
	want := map[string]int{
		"sharing SUB_sharing sub.sharing.user.create.0 one s=1 ":              1,
		"audit SUB_audit sub.audit.user.create.0 one s=1 ":                    1,
		"sharing SUB_sharing sub.sharing.user.update.0 other case  ":          1,
		"audit SUB_audit db.user.update other case  " + contract.ReasonFilter: 1,
	}
	const many = 300
	for i := range many {
		m := fmt.Sprint("many-", i)
		if _, err := w.js.PublishMsgAsync(&nats.Msg{Subject: "db.user.delete", Header: nats.Header{"traceparent": {m}}}); err != nil {
			t.Fatal(err)
		}
		want["sharing SUB_sharing sub.sharing.user.delete.0 "+m+"  "] = 1
		want["audit SUB_audit sub.audit.user.delete.0 "+m+"  "] = 1
	}
	w.copies("sharing", 3+many)
	// The dead letter of the event that lacks a name comes back by another filter.
	w.eventually("the dead letter", func() error {
		traces.mu.Lock()
		defer traces.mu.Unlock()
		if traces.done["audit SUB_audit db.user.update other case  "+contract.ReasonFilter] == 0 {
			return errors.New("not stored")
		}
		return nil
	})
	w.register("audit", `{"interests":[{"entity":"user"}]}`)
	var reply contract.Redriven
	if err := w.call("replhub.redrive.audit", `{"all":true}`, &reply); err != nil || reply.Redriven != 1 {
		t.Fatalf("%+v, %v", reply, err)
	}
	want["audit SUB_audit sub.audit.user.update.0 other case  1"] = 1
	w.eventually("the end of each trace", func() error {
		traces.mu.Lock()
		defer traces.mu.Unlock()
		if len(traces.bad) > 0 {
			t.Fatalf("%d traces end with an error; the first: %s", len(traces.bad), traces.bad[0])
		}
		for id := range want {
			if traces.begun[id] != 1 || traces.done[id] != 1 {
				return fmt.Errorf("%q begun %d, done %d", id, traces.begun[id], traces.done[id])
			}
		}
		if len(traces.begun) != len(want) {
			return fmt.Errorf("%d traces instead of %d", len(traces.begun), len(want))
		}
		return nil
	})
}
