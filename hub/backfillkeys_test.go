package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// told are the copies of a backfill, as op, key and row.
func told(copies []*jetstream.RawStreamMsg, id string) []string {
	var all []string
	for _, m := range copies {
		if fill, _, _ := strings.Cut(m.Header.Get("Replhub-Id"), "-"); fill == id {
			op := strings.Split(m.Subject, ".")[3]
			all = append(all, fmt.Sprintf("%s %s %s", m.Header.Get("Replhub-Row"), op, m.Header.Get("Replhub-Key")))
		}
	}
	return all
}

// A backfill of keys brings the row of each, and a delete where the service gets none: the
// owner has no such row, or the filter leaves it out. An owner of an earlier version sends
// all its rows, and the same comes of it.
func TestBackfillOfKeys(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(1000)
	w.serve("accounts", u.snapshot)
	w.register("s", `{"entities":["user"]}`)
	w.register("some", `{"interests":[{"entity":"user","filter":"key < 'k000500'","fields":["id"]}]}`)
	w.register("kept", `{"interests":[{"entity":"user","ops":["create","update"]}]}`)
	const request = `{"entity":"user","keys":["k000900","k000007","none","k000007"]}`
	for _, c := range []struct {
		service string
		want    []string
	}{
		{"s", []string{"1 create k000007", "2 create k000900", "3 delete none"}},
		{"some", []string{"1 create k000007", "2 delete k000900", "3 delete none"}},
		{"kept", []string{"1 create k000007", "2 create k000900"}},
	} {
		reply := w.backfill(c.service, request)
		if done := w.filled(c.service, reply.ID); done.Rows != uint64(len(c.want)) && c.service != "kept" {
			t.Errorf("%s: %d rows, %d wanted", c.service, done.Rows, len(c.want))
		}
		copies := w.settled(c.service)
		if got := told(copies, reply.ID); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.service, got, c.want)
		}
		for _, m := range copies {
			if strings.Contains(m.Subject, ".delete.") && (len(m.Data) > 0 || m.Header.Get("Replhub-Origin") != "accounts") {
				t.Errorf("%s: a delete with %q, of %q", c.service, m.Data, m.Header.Get("Replhub-Origin"))
			}
		}
	}
	made := w.makesMeanwhile(t)
	if absent := made["delete"]; absent == 0 || absent >= made["create"] {
		t.Errorf("the delete is at %d, and the row that was made meanwhile at %d", absent, made["create"])
	}
	for _, bad := range []string{`{"entity":"user","keys":["a"],"filter":"true"}`, `{"entity":"user","keys":[" a"]}`} {
		var reply contract.Backfilling
		if err := w.call("replhub.backfill.s", bad, &reply); err == nil {
			t.Errorf("%s was begun", bad)
		}
	}
}

// makesMeanwhile has an owner make a row while it is asked for the row's key, behind the
// place up to which its rows were read. It returns the positions of the copies, by op.
func (w *world) makesMeanwhile(t *testing.T) map[string]uint64 {
	t.Helper()
	const key = "k000000-late"
	var once sync.Once
	serveEntity(t, w.connect(), "thing", func(_ context.Context, after string, yield func(replhub.Event) error) error {
		if after == "" {
			return yield(replhub.Event{Key: "k000001", Data: []byte("{}")})
		}
		once.Do(func() { w.publish("db.thing.create", `{"id":"`+key+`"}`) })
		return nil
	})
	w.register("late", `{"entities":["thing"]}`)
	for n := range 3 {
		w.publish("db.thing.update", fmt.Sprintf(`{"id":"other%d"}`, n))
	}
	reply := w.backfill("late", `{"entity":"thing","keys":["`+key+`"]}`)
	w.filled("late", reply.ID)
	at := map[string]uint64{}
	for _, m := range w.settled("late") {
		if seq, err := seqOf(m); err == nil && m.Header.Get("Replhub-Key") == key {
			at[strings.Split(m.Subject, ".")[3]] = seq
		}
	}
	return at
}
