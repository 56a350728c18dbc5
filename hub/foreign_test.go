package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// awaitNoAlarm waits until no alarm mentions something.
func (w *world) awaitNoAlarm(part string) {
	w.t.Helper()
	w.eventually("no alarm about "+part, func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if strings.Contains(strings.Join(status.Registry.Alarms, "\n"), part) {
			return fmt.Errorf("alarms %q", status.Registry.Alarms)
		}
		return nil
	})
}

// A stream that somebody else made under a lane's name is that name's trouble, at
// run time and at a start: trims, lists and other services go on.
func TestForeignStreamOfALanesName(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub(eager)
	w.register("s", `{"entities":["user"]}`)
	cfg := jetstream.StreamConfig{Name: "SUB_mine", Subjects: []string{"sub.mine.>"}}
	if _, err := w.js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.publishTo("sub.mine.x")
	works := func(events int) {
		t.Helper()
		w.awaitAlarm("SUB_mine")
		w.eventually("a trim", func() error {
			if first := w.stream(contract.StreamIngest).CachedInfo().State.FirstSeq; first < uint64(events) {
				return fmt.Errorf("first event %d", first)
			}
			return nil
		})
		var services contract.Services
		if err := w.call("replhub.services", "", &services); err != nil || len(services.Services) != 1 {
			t.Errorf("services %+v, %v", services, err)
		}
		if err := asRefusal(t, w.call("replhub.register.mine", `{"entities":["user"]}`, nil)); err.Code != contract.CodeConflict {
			t.Errorf("registering: %v", err)
		}
		if err := asRefusal(t, w.call("replhub.describe.mine", "", nil)); err.Code != contract.CodeConflict {
			t.Errorf("describing: %v", err)
		}
	}
	if err := w.publishAll(t.Context(), "user", 100); err != nil {
		t.Fatal(err)
	}
	works(100)
	stop()
	w.startHub(eager)
	w.publish("db.user.update", `{"id":"1"}`)
	works(101)
	// Once it is gone, so is the alarm, and the name is free.
	if err := w.js.DeleteStream(t.Context(), "SUB_mine"); err != nil {
		t.Fatal(err)
	}
	w.awaitNoAlarm("SUB_mine")
	w.eventually("the name to be free", func() error { return w.call("replhub.register.mine", `{"entities":["user"]}`, nil) })
}

// publishTo stores an empty message under a subject.
func (w *world) publishTo(subject string) {
	w.t.Helper()
	if _, err := w.js.Publish(w.t.Context(), subject, nil); err != nil {
		w.t.Fatal(err)
	}
}
