package hub_test

import (
	"fmt"
	"testing"
)

func TestEventReachesItsServices(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	reply := w.register("sharing", `{"entities":["user","tenant"]}`)
	if reply.Stream != "SUB_sharing" || reply.Since["user"] != 1 || !reply.Complete {
		t.Errorf("reply %+v", reply)
	}
	w.register("application", `{"interests":[{"entity":"user","fields":["id","address.city"]}]}`)
	for i := range 10 {
		w.publish("db.user.create", fmt.Sprintf(`{"id":"%d","name":"Ada","address":{"city":"Paris","zip":1}}`, i))
	}
	w.publish("db.project.create", `{"id":"1"}`)
	sharing := w.copies("sharing", 10)
	if got := sharing[3].Header.Get("Replhub-Key"); got != "3" {
		t.Errorf("key %q", got)
	}
	application := w.copies("application", 10)
	if got := string(application[0].Data); got != `{"id":"0","address":{"city":"Paris"}}` {
		t.Errorf("projection %s", got)
	}
	t.Log(sharing[0].Header, sharing[9].Header, sharing[9].Subject)
}

func TestManyEventsInBatches(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("a", `{"entities":["user"]}`)
	w.register("b", `{"interests":[{"entity":"user","filter":"data.n % 2 == 0"}]}`)
	stop()
	for i := range 3000 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d","n":%d}`, i%10, i))
	}
	w.startHub()
	w.register("c", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.copies("a", 3000)
	w.copies("b", 1500)
	w.copies("c", 3000)
}
