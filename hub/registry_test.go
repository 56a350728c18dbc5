package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// bucket is the key-value registry as its keeper sees it.
func (w *world) bucket() jetstream.KeyValue {
	w.t.Helper()
	kv, err := w.js.KeyValue(w.t.Context(), contract.BucketRegistry)
	if err != nil {
		w.t.Fatal(err)
	}
	return kv
}

func (w *world) recordOf(key string) (map[string]any, error) {
	entry, err := w.bucket().Get(w.t.Context(), key)
	if err != nil {
		return nil, err
	}
	var record map[string]any
	if len(entry.Value()) == 0 {
		return map[string]any{}, nil
	}
	return record, json.Unmarshal(entry.Value(), &record)
}

func (w *world) put(key, value string) {
	w.t.Helper()
	if _, err := w.bucket().Put(w.t.Context(), key, []byte(value)); err != nil {
		w.t.Fatal(err)
	}
}

func TestRecordMadeByHandIsARegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.put("entities.user.audit", "")
	w.put("entities.user.reports", `{"v":1,"fields":["id"],"ops":["create"]}`)
	w.put("entities.user.quoted", ` "" `)
	for _, service := range []string{"audit", "reports", "quoted"} {
		w.eventually("id and since to be written back for "+service, func() error {
			record, err := w.recordOf("entities.user." + service)
			if err != nil {
				return err
			}
			if record["id"] == nil || record["since"] == nil {
				return fmt.Errorf("record %v", record)
			}
			return nil
		})
	}
	w.publish("db.user.create", `{"id":"1","secret":"x"}`)
	w.publish("db.user.update", `{"id":"1","secret":"x"}`)
	w.copies("audit", 2)
	if m := w.copies("reports", 1)[0]; string(m.Data) != `{"id":"1"}` {
		t.Errorf("reports got %s", m.Data)
	}
	w.consume("audit", "workers", 2)
}

func TestRecordThatVanishesIsPutBack(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"interests":[{"entity":"user","fields":["id"]}]}`)
	before, err := w.recordOf("entities.user.s")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.bucket().Delete(t.Context(), "entities.user.s"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the record to be put back", func() error {
		after, err := w.recordOf("entities.user.s")
		if err != nil {
			return err
		}
		if after["id"] != before["id"] {
			return fmt.Errorf("record %v", after)
		}
		return nil
	})
	w.eventually("an alarm", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if len(status.Registry.Alarms) == 0 {
			return errors.New("none")
		}
		return nil
	})
	w.publish("db.user.create", `{"id":"1"}`)
	w.copies("s", 1)
}

func TestEndedInterestDoesNotComeBackWithAnOldRecord(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user","tenant"]}`)
	old, err := w.bucket().Get(t.Context(), "entities.user.s")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.call("replhub.unregister.s", `{"entities":["user"]}`, nil); err != nil {
		t.Fatal(err)
	}
	w.put("entities.user.s", string(old.Value()))
	w.eventually("the old record to be removed", func() error {
		_, err := w.recordOf("entities.user.s")
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		return fmt.Errorf("still there: %w", err)
	})
	w.publish("db.user.create", `{"id":"1"}`)
	w.publish("db.tenant.create", `{"id":"1"}`)
	if m := w.copies("s", 1)[0]; m.Subject != "sub.s.tenant.create.0" {
		t.Errorf("got %s", m.Subject)
	}
}

func TestRecordOfANewerFormParksTheLane(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	record, err := w.bucket().Get(t.Context(), "entities.user.s")
	if err != nil {
		t.Fatal(err)
	}
	w.put("entities.user.s", `{"v":2,"mask":["secret"]}`)
	state := func(want string) func() error {
		return func() error {
			var status contract.LaneStatus
			if err := w.call("replhub.describe.s", "", &status); err != nil {
				return err
			}
			if status.State != want {
				return fmt.Errorf("state %s, want %s", status.State, want)
			}
			return nil
		}
	}
	w.eventually("the lane to be parked", state(contract.LaneIncompatible))
	w.publish("db.user.create", `{"id":"1"}`)
	w.put("entities.user.s", string(record.Value()))
	w.eventually("the lane to go on", state(contract.LaneLive))
	w.copies("s", 1)
}

func TestGarbageInTheRegistryIsIgnored(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.put("entities.user.garbage", "\x00\xff")
	w.put("entities.User.s", "")
	w.put("services.x.y.z", "")
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.create", `{"id":"1"}`)
	w.copies("s", 1)
	w.eventually("alarms", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if len(status.Registry.Alarms) < 2 {
			return fmt.Errorf("%q", status.Registry.Alarms)
		}
		return nil
	})
}
