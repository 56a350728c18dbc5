package hub_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

func (w *world) registryAlarms() []string {
	w.t.Helper()
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil {
		w.t.Fatal(err)
	}
	return status.Registry.Alarms
}

// Records made by hand are checked as requests are: what is wrong is an alarm
// that names the field in plain words, nothing is registered, and the alarm goes
// when the record is corrected or deleted.
func TestRecordsMadeByHandAreChecked(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	records := map[string]struct{ value, tells string }{
		"entities.user.a1":  {`{"v":1,"filtre":"data.tenant == 'acme'"}`, "filtre: no such field here"},
		"entities.user.a2":  {`{"v":1,"ops":"create"}`, "ops: want an array, not string"},
		"entities.user.a3":  {`{"v":1,"filter":"data.x =="}`, "filter: line 1, column 10"},
		"entities.user.a4":  {`{"v":1,"fields":["a..b"]}`, "fields[0]: "},
		"entities.user.a5":  {`{"v":1,"start":true}`, "a start is a string"},
		"entities.user.a6":  {`{"v":1,"start":"9999-01-01T00:00:00Z"}`, "start: 9999-01-01T00:00:00Z is in the future"},
		"entities.user.a7":  {`filter: x`, "it is not a JSON object"},
		"entities.user.a8":  {`{"v":"one"}`, "v: want a number, not string"},
		"entities.user.a9":  {`{"v":-1}`, "v: -1 is not 1"},
		"entities.user.b1":  {`{"v":1,"since":{"epoch":1,"seq":1}}`, "since: the hub writes it"},
		"entities.user.b2":  {`{"v":1,"Filter":"true"}`, "Filter: no such field"},
		"entities.user.b3":  {`["user"]`, "it is not a JSON object"},
		"entities.User.b4":  {``, "registry record entities/User/b4 is ignored: its entity: "},
		"entities.user._b5": {``, "registry record entities/user/_b5 is ignored: its service: "},
		"services.b6":       {`{"v":1,"queue":{"order":"keys"}}`, "queue.order: "},
		"services.b7":       {`{"v":1,"queue":{"ordr":"key"}}`, "queue.ordr: no such field"},
		"services.b8":       {`{"v":1,"max_bytes":5}`, "max_bytes: 5 is too little"},
		"services.B9":       {``, "registry record services/B9 is ignored: its service: "},
		"entities.user.b8":  {``, "correct registry record services/b8 first: max_bytes: 5 is too little"},
	}
	keys := slices.Sorted(maps.Keys(records))
	slices.Reverse(keys) // a service's record before those of its interests
	for _, key := range keys {
		w.put(key, records[key].value)
	}
	for _, key := range keys {
		bad := records[key]
		path := strings.ReplaceAll(key, ".", "/")
		w.eventually("an alarm about "+path, func() error {
			alarms := w.registryAlarms()
			i := slices.IndexFunc(alarms, func(a string) bool { return strings.Contains(a, "registry record "+path+" ") })
			switch {
			case i < 0:
				return fmt.Errorf("%q", alarms)
			case !strings.Contains(alarms[i], bad.tells):
				t.Fatalf("%s does not tell %q", alarms[i], bad.tells)
			case strings.Contains(alarms[i], "json:") || strings.Contains(alarms[i], "interests[0]") || strings.Contains(alarms[i], "unmarshal"):
				t.Errorf("not in plain words: %s", alarms[i])
			}
			return nil
		})
	}
	var services contract.Services
	if err := w.call("replhub.services", "", &services); err != nil || len(services.Services) != 0 {
		t.Errorf("registered all the same: %+v, %v", services, err)
	}
	// Corrected, or deleted.
	w.put("entities.user.a1", `{"v":1,"filter":"has(data.tenant) && data.tenant == 'acme'"}`)
	w.put("services.b8", `{"v":1,"max_bytes":70000,"queue":{"order":"key","partitions":2}}`)
	for _, key := range keys {
		if !strings.HasSuffix(key, ".a1") && !strings.HasSuffix(key, ".b8") {
			if err := w.bucket().Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.eventually("the alarms to go", func() error {
		if alarms := w.registryAlarms(); len(alarms) > 0 {
			return fmt.Errorf("%q", alarms)
		}
		return nil
	})
	w.publish("db.user.create", `{"id":"1","tenant":"acme"}`)
	w.publish("db.user.create", `{"id":"2"}`)
	w.publish("db.user.create", `{"id":"3","tenant":"acme"}`)
	if copies := w.copies("a1", 2); copies[1].Header.Get(contract.HeaderKey) != "3" {
		t.Errorf("the filter did not hold: %v", copies[1].Header)
	}
	var b8 contract.LaneStatus
	if err := w.call("replhub.describe.b8", "", &b8); err != nil || b8.Queue.Partitions != 2 || b8.MaxBytes != 70000 {
		t.Errorf("%+v, %v", b8, err)
	}
}

// A folder of strangers is one fault: it leaves room for other alarms.
func TestAlarmsAboutNamesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	for i := range 150 {
		w.put(fmt.Sprintf("entities.User.s%d", i), "")
	}
	w.put("entities.user.typo", `{"v":1,"filtre":"x"}`)
	w.eventually("the alarms", func() error {
		alarms := w.registryAlarms()
		text := strings.Join(alarms, "\n")
		if !strings.Contains(text, "filtre") || !strings.Contains(text, "130 more registry records") || len(alarms) != 22 {
			return fmt.Errorf("%d alarms: %q", len(alarms), alarms)
		}
		return nil
	})
}

// A service's record follows its lane, as those of interests do, and an alarm
// about a record that vanished goes with the interest.
func TestServiceRecordFollowsTheLane(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"],"max_bytes":100000}`)
	w.put("services.s", `{"v":1,"queue":{"order":"key","partitions":4},"max_bytes":200000}`)
	w.eventually("the record to be corrected", func() error {
		record, err := w.recordOf("services.s")
		if err != nil {
			return err
		}
		if record["max_bytes"] != float64(100000) {
			return fmt.Errorf("record %v", record)
		}
		return nil
	})
	if err := w.bucket().Delete(t.Context(), "entities.user.s"); err != nil {
		t.Fatal(err)
	}
	w.eventually("an alarm", func() error {
		if alarms := w.registryAlarms(); len(alarms) != 1 || !strings.Contains(alarms[0], "replhub unregister") {
			return fmt.Errorf("%q", alarms)
		}
		return nil
	})
	if err := w.call("replhub.unregister.s", "", nil); err != nil {
		t.Fatal(err)
	}
	if alarms := w.registryAlarms(); len(alarms) > 0 {
		t.Errorf("alarms %q", alarms)
	}
	if _, err := w.recordOf("entities.user.s"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("the record is there after unregister: %v", err)
	}
}
