package hub_test

import (
	"fmt"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

// A payload that is JSON but no object has no members for a filter or fields: it
// is a dead letter for the services that have one, without what it holds.
func TestPayloadThatIsNoObjectIsADeadLetter(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("fields", `{"interests":[{"entity":"user","fields":["id","items.sku"]}]}`)
	w.register("filter", `{"interests":[{"entity":"user","filter":"!has(data.gone)"}]}`)
	w.register("plain", `{"entities":["user"]}`)
	list := w.publish("db.user.create", `[{"id":"1"}]`)
	w.publish("db.user.delete", ``)
	w.publish("db.user.update", `{"id":"2","items":[{"sku":7,"q":1},{"q":2},[{"sku":8}]]}`)
	w.copies("plain", 3)
	w.copies("filter", 2)
	copies := w.copies("fields", 2)
	if got, want := string(copies[1].Data), `{"id":"2","items":[{"sku":7},[{"sku":8}]]}`; got != want {
		t.Errorf("fields got %s, want %s", got, want)
	}
	if len(copies[0].Data) != 0 {
		t.Errorf("the bare delete came as %s", copies[0].Data)
	}
	for i, service := range []string{"fields", "filter"} {
		var m struct{ reason, seq, data string }
		w.eventually("the letter of "+service, func() error {
			letter, err := w.stream(contract.StreamDLQ).GetLastMsgForSubject(t.Context(), "dlq."+service+".user.create")
			if err == nil {
				m.reason, m.seq, m.data = letter.Header.Get(contract.HeaderReason), sequence(letter.Header), string(letter.Data)
			}
			return err
		})
		if m.reason != contract.ReasonNotObject || m.seq != fmt.Sprint(list) || m.data != "" {
			t.Errorf("dead letter %d: %+v", i, m)
		}
	}
	// A definition that can take it brings it back, whole.
	w.register("fields", `{"interests":[{"entity":"user","echo":true}]}`)
	var redriven contract.Redriven
	if err := w.call("replhub.redrive.fields", `{"all":true}`, &redriven); err != nil || redriven.Redriven != 1 {
		t.Fatalf("%+v, %v", redriven, err)
	}
	if m := w.copies("fields", 3)[2]; string(m.Data) != `[{"id":"1"}]` {
		t.Errorf("redriven as %s", m.Data)
	}
}
