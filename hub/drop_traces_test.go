package hub_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// traces has two services leave a dead letter each, and one of them a roster.
func (w *world) traces() {
	w.t.Helper()
	for _, service := range []string{"sharing", "other"} {
		w.register(service, `{"interests":[{"entity":"user","filter":"data.n > 0"}],"queue":{"order":"key","partitions":2}}`)
	}
	w.join("a", contract.Join{})
	w.publish("db.user.update", `{}`)
	w.letters(2)
	if err := w.call("replhub.unregister.sharing", `{}`, nil); err != nil {
		w.t.Fatal(err)
	}
}

// noTraces insists that nothing is left of the dropped service, for a later one
// of its name to see, and that the other's letter is.
func (w *world) noTraces() {
	w.t.Helper()
	if letter := w.letters(1)[0]; letter.Subject != "dlq.other.user.update" {
		w.t.Errorf("the letter that is left is %s", letter.Subject)
	}
	_, err := w.stream(contract.StreamMembers).GetLastMsgForSubject(w.t.Context(), "replhub._members.sharing")
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		w.t.Errorf("the roster is left: %v", err)
	}
	var redriven contract.Redriven
	if err := w.call("replhub.redrive.sharing", `{"all":true}`, &redriven); err == nil && redriven.Redriven > 0 {
		w.t.Errorf("%d letters of the service before were redriven", redriven.Redriven)
	}
}

func TestDropRemovesLettersAndRoster(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.traces()
	if err := w.call("replhub.drop.sharing", `{}`, nil); err != nil {
		t.Fatal(err)
	}
	w.noTraces()
	w.register("sharing", `{"entities":["user"]}`)
	w.noTraces()
}

// The hub that drops a service dies at each step; a registration at another hub
// finishes the drop first.
func TestDropFinishedByAnotherHubLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"dropped", "purged dead letters"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			reached := make(chan struct{}, 1)
			stop := w.startHub(func(c *hub.Config) {
				c.ID = "one"
				c.Failpoint = func(at string) {
					if at == step {
						reached <- struct{}{}
						runtime.Goexit() // the request ends here, as with its process
					}
				}
			})
			w.traces()
			if err := w.nc.PublishRequest("replhub.drop.sharing", "nobody", nil); err != nil {
				t.Fatal(err)
			}
			<-reached
			stop()
			w.startHub(func(c *hub.Config) { c.ID = "two" })
			w.register("sharing", `{"entities":["user"]}`)
			w.noTraces()
		})
	}
}

// An instance that asks for partitions of a service that is being dropped leaves
// no roster behind.
func TestJoinBesideADrop(t *testing.T) {
	w := newWorld(t)
	held, release := make(chan struct{}), make(chan struct{})
	w.startHub(func(c *hub.Config) {
		c.Failpoint = func(at string) {
			if at == "purged dead letters" {
				close(held)
				<-release
			}
		}
	})
	w.traces()
	dropped := make(chan error, 1)
	go func() { dropped <- w.call("replhub.drop.sharing", `{}`, nil) }()
	<-held
	err := w.call("replhub.join.sharing", `{"instance":"b"}`, nil)
	close(release)
	if err == nil || asRefusal(t, err).Code != contract.CodeNotFound {
		t.Errorf("joined a service that is being dropped: %v", err)
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	w.noTraces()
	w.eventually("a new service of the name", func() error {
		w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
		if c := w.join("c", contract.Join{}); len(c.Assigned) != 2 {
			return fmt.Errorf("c has %v", c.Assigned)
		}
		return nil
	})
}
