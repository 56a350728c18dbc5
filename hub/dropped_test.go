package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// With the registry unreachable, a drop cannot remove the service's records. A later
// service of the name gets nothing that it has not asked for.
func TestDropWhileTheRegistryIsAway(t *testing.T) {
	w, elsewhere := newWorld(t), newWorld(t)
	o := w.observe(elsewhere.server)
	w.register("s", `{"entities":["user","tenant"],"queue":{"order":"key","partitions":2}}`)
	w.register("t", `{"entities":["user"]}`)
	if _, err := elsewhere.recordOf("entities.user.s"); err != nil {
		t.Fatal(err)
	}
	elsewhere.stopServer()
	for _, call := range []string{"unregister.s", "drop.s", "unregister.t", "drop.t"} {
		if err := w.call("replhub."+call, "", nil); err != nil {
			t.Fatal(call, err)
		}
	}
	w.register("s", `{"entities":["order"]}`)
	if status, err := w.describe("s"); err != nil || status.Queue.Order != "none" {
		t.Errorf("the later service has the queue %+v of the dropped one, %v", status.Queue, err)
	}
	elsewhere.startServer()
	for _, entity := range []string{"user", "tenant"} {
		w.eventually("the record of "+entity+" to be removed", func() error { return elsewhere.hasNoRecord("entities." + entity + ".s") })
	}
	for _, key := range []string{"entities.user.t", "services.t"} {
		w.eventually(key+" to be removed", func() error { return elsewhere.hasNoRecord(key) })
	}
	w.eventually("the record of order", func() error {
		_, err := elsewhere.recordOf("entities.order.s")
		return err
	})
	w.onlyInForce("s", "order")
	if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
		t.Errorf("degraded: %q", health.Degraded)
	}
}

// A record whose id the lane does not know is of another lane's time, as after a
// restored registry. Registering it again would leave a gap, so the hub raises an alarm.
func TestRecordOfAnotherLanesTime(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	old, err := w.bucket().Get(t.Context(), "entities.user.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"unregister", "drop"} {
		if err := w.call("replhub."+call+".s", "", nil); err != nil {
			t.Fatal(call, err)
		}
	}
	w.register("s", `{"entities":["order"]}`)
	stop()
	w.put("entities.user.s", string(old.Value()))
	w.startHub() // it knows nothing of the drop
	w.eventually("the old record to be told of", func() error {
		if alarms := strings.Join(w.registryAlarms(), "\n"); !strings.Contains(alarms, "entities/user/s is of an interest that is not in force") {
			return fmt.Errorf("alarms %q", alarms)
		}
		return nil
	})
	w.onlyInForce("s", "order")
	if err := w.call("replhub.unregister.s", `{"entities":["user"]}`, nil); err != nil {
		t.Fatal(err)
	}
	w.eventually("the alarm to go with the record", func() error {
		if alarms := w.registryAlarms(); len(alarms) > 0 {
			return fmt.Errorf("alarms %q", alarms)
		}
		return w.hasNoRecord("entities.user.s")
	})
	w.onlyInForce("s", "order")
}

func (w *world) hasNoRecord(key string) error {
	record, err := w.recordOf(key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil
	case err == nil:
		err = fmt.Errorf("it is %v", record)
	}
	return err
}

// onlyInForce fails unless a service has one interest, in entity.
func (w *world) onlyInForce(service, entity string) {
	w.t.Helper()
	var status contract.LaneStatus
	if err := w.call("replhub.describe."+service, "", &status); err != nil {
		w.t.Fatal(err)
	}
	if len(status.Interests) != 1 || status.Interests[0].Entity != entity {
		w.t.Errorf("in force: %+v, want %s alone", status.Interests, entity)
	}
}
