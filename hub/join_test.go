package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

func (w *world) join(instance string, req contract.Join) contract.Joined {
	w.t.Helper()
	req.Instance = instance
	data, err := json.Marshal(req)
	if err != nil {
		w.t.Fatal(err)
	}
	var reply contract.Joined
	if err := w.call("replhub.join.sharing", string(data), &reply); err != nil {
		w.t.Fatal(err)
	}
	return reply
}

func TestJoin(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":4}}`)
	a := w.join("a", contract.Join{})
	if !slices.Equal(a.Assigned, []int{0, 1, 2, 3}) || a.Partitions != 4 || a.Members != 1 || a.TTL == 0 || a.Service != "sharing" {
		t.Errorf("a alone: %+v", a)
	}
	if b := w.join("b", contract.Join{}); len(b.Assigned) != 0 || b.Members != 2 {
		t.Errorf("b at once: %+v", b)
	}
	a = w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
	if len(a.Assigned) != 2 {
		t.Errorf("a beside b: %+v", a)
	}
	w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
	if b := w.join("b", contract.Join{}); len(b.Assigned) != 2 {
		t.Errorf("b after a let go: %+v", b)
	}
	w.join("a", contract.Join{Leaving: true})
	if b := w.join("b", contract.Join{}); len(b.Assigned) != 4 || b.Members != 1 {
		t.Errorf("b after a left: %+v", b)
	}
}

func TestJoinRefuses(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("sharing", `{"entities":["user"]}`)
	if reply := w.join("a", contract.Join{}); reply.Partitions != 0 || len(reply.Assigned) != 0 {
		t.Errorf("without order: %+v", reply)
	}
	for request, code := range map[string]contract.Code{
		`{"instance":"no spaces"}`:            contract.CodeInvalidValue,
		`{"instance":"a","holding":[100000]}`: contract.CodeInvalidValue,
		`{"instance":"a","hodling":[1]}`:      contract.CodeUnknownField,
		`{}`:                                  contract.CodeInvalidValue,
	} {
		if got := asRefusal(t, w.call("replhub.join.sharing", request, nil)).Code; got != code {
			t.Errorf("%s: %s, want %s", request, got, code)
		}
	}
	if got := asRefusal(t, w.call("replhub.join.nobody", `{"instance":"a"}`, nil)).Code; got != contract.CodeNotFound {
		t.Errorf("unknown service: %s", got)
	}
}

// A member that has died keeps its partitions for its time, and no longer;
// nor does a change of hubs take them from one that lives.
func TestPartitionsOfTheDeadAreFree(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub(func(c *hub.Config) { c.ID = "one" })
	w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	a := w.join("a", contract.Join{})
	w.join("b", contract.Join{})
	stop()
	w.startHub(func(c *hub.Config) { c.ID = "two" })
	began := time.Now()
	if b := w.join("b", contract.Join{}); len(b.Assigned) != 0 {
		t.Errorf("b has %v of a's after the hub was started again", b.Assigned)
	}
	w.eventually("a's partitions", func() error {
		b := w.join("b", contract.Join{})
		if len(b.Assigned) < len(a.Assigned) {
			return fmt.Errorf("b has %v", b.Assigned)
		}
		return nil
	})
	if took := time.Since(began); took < time.Duration(a.TTL) {
		t.Errorf("a's partitions were given away after %s, before its time of %s was over", took, a.TTL)
	}
}

// While the hub that owns the lane is frozen, the others answer the instances in time:
// an instance without an answer loses its partitions.
func TestJoinDoesNotWaitForAFrozenOwner(t *testing.T) {
	w := newWorld(t)
	w.startHub(func(c *hub.Config) { c.ID = "alive" })
	w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":4}}`)
	asked := make(chan struct{}, 100)
	if _, err := w.nc.Subscribe("replhub._to.frozen.join.*", func(*nats.Msg) { asked <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	// It still counts as a hub, as for the first seconds of a standstill.
	if _, err := w.nc.Subscribe("replhub._to.frozen.lend.*", func(m *nats.Msg) { _ = m.Respond([]byte(`{"accepted":true}`)) }); err != nil {
		t.Fatal(err)
	}
	w.put("hubs.frozen", `{"v":1}`)
	w.eventually("the frozen hub to own the lane", func() error {
		w.join("a", contract.Join{})
		if len(asked) == 0 {
			return errors.New("it is not asked")
		}
		return nil
	})
	began := time.Now()
	if a := w.join("a", contract.Join{}); len(a.Assigned) != 4 {
		t.Errorf("%+v", a)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("an answer after %s; instances wait for a second", took)
	}
}
