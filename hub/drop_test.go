package hub_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
)

// A registration that meets a drop under way is neither refused nor lost with
// the old stream, whichever of two hubs each of them goes to.
func TestRegistrationBesideADrop(t *testing.T) {
	w := newWorld(t)
	held, release := make(chan struct{}, 1), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	for i := range 2 {
		w.startHub(func(c *hub.Config) {
			c.ID = fmt.Sprintf("hub-%d", i)
			c.Failpoint = func(step string) {
				if step == "dropped" {
					held <- struct{}{}
					<-release
				}
			}
		})
	}
	t.Cleanup(goOn) // before the hubs are stopped
	// Several, so that both hubs get some of each.
	for range 4 {
		w.register("s", `{"entities":["user"]}`)
		w.publish("db.user.update", `{"id":"1"}`)
		w.copies("s", 1)
		dropped := w.dropping(held)
		registered := make(chan error, 1)
		go func() { registered <- w.call("replhub.register.s", `{"entities":["user"]}`, nil) }()
		select {
		case err := <-registered:
			t.Fatalf("registered into a stream that is about to go: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		release <- struct{}{}
		if err := <-dropped; err != nil {
			t.Fatal(err)
		}
		if err := <-registered; err != nil {
			t.Fatal(err)
		}
		w.publish("db.user.update", `{"id":"1"}`)
		w.copies("s", 1)
		dropped = w.dropping(held)
		release <- struct{}{}
		if err := <-dropped; err != nil {
			t.Fatal(err)
		}
	}
}

// dropping begins to drop the service "s" and returns once its lane has its last
// record; the outcome follows.
func (w *world) dropping(held <-chan struct{}) <-chan error {
	w.t.Helper()
	if err := w.call("replhub.unregister.s", `{}`, nil); err != nil {
		w.t.Fatal(err)
	}
	dropped := make(chan error, 1)
	go func() { dropped <- w.call("replhub.drop.s", `{}`, nil) }()
	select {
	case <-held:
	case err := <-dropped:
		w.t.Fatalf("drop: %v", err)
	}
	return dropped
}
