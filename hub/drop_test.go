package hub_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

// The server moves a deleted stream's folder away after it has begun to answer
// that the stream is not there: a lane created again at once would go with it.
func TestLaneMadeAnewOutlivesTheDeletion(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	const request = `{"entities":["user"],"queue":{"order":"key","partitions":256}}` // whose consumers are deleted in between
	w.register("s", request)
	deleted := make(chan error, 1)
	go func() { deleted <- w.js.DeleteStream(w.t.Context(), "SUB_s") }() // by hand
	w.eventually("the stream to be gone", func() error {
		for range 1000 {
			if _, err := w.js.Stream(t.Context(), "SUB_s"); errors.Is(err, jetstream.ErrStreamNotFound) {
				return nil
			}
		}
		return errors.New("it is there")
	})
	w.register("s", request)
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	if _, err := os.Stat(filepath.Join(w.dir, "jetstream", "$G", "streams", "SUB_s", "meta.inf")); err != nil {
		t.Fatalf("the new stream went with the old: %v", err)
	}
}

// A stream that is deleted while the server still removes the folder of the one before
// keeps its files, and the next stream of the name begins with them: with the last record
// of a dropped lane.
func TestDroppedLaneThatTheServerKeeps(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	before := filepath.Join(w.dir, "jetstream", "$G", "streams", ".SUB_s")
	if err := os.MkdirAll(filepath.Join(before, "msgs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"unregister", "drop"} {
		if err := w.call("replhub."+verb+".s", "", nil); err != nil {
			t.Fatal(verb, err)
		}
	}
	if err := os.RemoveAll(before); err != nil { // as the server does in a moment
		t.Fatal(err)
	}
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
}
