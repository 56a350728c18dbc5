package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/subjects"
)

// A consumer that is paused by hand delivers nothing while copies are due and requests
// wait. For a hub that cannot see the pause it is a stuck one.

// withoutPauses returns this world as one sees it who cannot see that a consumer is
// paused: by a proxy that hides it in what the server says.
func (w *world) withoutPauses() *world {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	w.t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	server := strings.TrimPrefix(w.url, "nats://")
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { hidePauses(client, server) })
		}
	})
	seen := *w
	seen.url = "nats://" + listener.Addr().String()
	return &seen
}

// hidePauses passes on what one client and the server say to each other. What is hidden
// keeps its length, which the protocol states.
func hidePauses(client net.Conn, server string) {
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		_ = client.Close()
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = bufio.NewReader(client).WriteTo(upstream)
		_ = upstream.Close()
	})
	for lines := bufio.NewReader(upstream); ; {
		line, err := lines.ReadBytes('\n')
		line = bytes.ReplaceAll(line, []byte(`"paused":true`), []byte(`"paused":null`))
		line = bytes.ReplaceAll(line, []byte(`"pause_until":`), []byte(`"hidden_____":`))
		if _, failed := client.Write(line); err != nil || failed != nil {
			break
		}
	}
	_ = client.Close()
	wg.Wait()
}

func (w *world) pauseConsumer(service, consumer string) *jetstream.ConsumerInfo {
	w.t.Helper()
	if _, err := w.stream("SUB_"+service).PauseConsumer(w.t.Context(), consumer, time.Now().Add(time.Hour)); err != nil {
		w.t.Fatal(err)
	}
	return w.awaitConsumer(service, consumer)
}

// requestCopy leaves a request for a copy at the server.
func (w *world) requestCopy(service, consumer string) {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, consumer)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Fetch(1, jetstream.FetchMaxWait(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
}

func soonStuck(c *hub.Config) { c.TrimEvery, c.StuckAfter = 50*time.Millisecond, time.Second }

// A stuck consumer is named, and created again behind what is acknowledged: nothing is
// lost, and nothing that was acknowledged comes again.
func TestStuckConsumerIsCreatedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.withoutPauses().observe(nil, soonStuck)
	w.register("s", `{"entities":["user"]}`)
	w.users(0, 10)
	w.consume("s", "workers", 4)
	before := w.pauseConsumer("s", "workers")
	w.requestCopy("s", "workers")
	o.awaitHealth(w, http.StatusOK, "consumer workers is stuck")
	w.eventually("another consumer", func() error {
		if w.awaitConsumer("s", "workers").Created.Equal(before.Created) {
			return errors.New("it is the same")
		}
		return nil
	})
	if got := seqsOf(w.consume("s", "workers", 6)); !slices.Equal(got, []int{5, 6, 7, 8, 9, 10}) {
		t.Errorf("behind what was acknowledged, 4, comes %v", got)
	}
	w.eventually("the end of that", func() error {
		if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
			return fmt.Errorf("degraded %q", health.Degraded)
		}
		return nil
	})
}

// A hub dies when it has removed a stuck consumer: the hub that creates the consumer
// knows where it goes on.
func TestHubDiesWhileItReplacesAConsumer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	removed := make(chan struct{})
	stop := w.withoutPauses().startHub(soonStuck, func(c *hub.Config) {
		c.ID = "one"
		c.Failpoint = func(step string) {
			if step == "consumer removed" {
				close(removed)
				runtime.Goexit() // the watch ends here, as with its process
			}
		}
	})
	w.register("s", `{"entities":["user"]}`)
	w.users(0, 10)
	w.consume("s", "workers", 4)
	w.pauseConsumer("s", "workers")
	w.requestCopy("s", "workers")
	<-removed
	stop()
	w.startHub(quickly, func(c *hub.Config) { c.ID = "two" })
	if got := w.awaitConsumer("s", "workers").NumPending; got != 6 {
		t.Errorf("%d copies are due, want the 6 that are not acknowledged", got)
	}
}

// Under a running instance each key keeps its order, and nothing that was acknowledged
// comes again.
func TestStuckPartitionKeepsItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withoutPauses().startHub(soonStuck)
	client, err := replhub.Connect(t.Context(), replhub.Config{URL: w.url, Service: "s", Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan int, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- client.RunSubscriber(ctx, replhub.SubscriberConfig{
			Registration: replhub.Registration{
				Interests: []replhub.Interest{{Entity: "user"}},
				Queue:     replhub.Queue{Order: replhub.OrderKey, Partitions: 2},
			},
		}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			var user struct{ N int }
			err := json.Unmarshal(d.Data, &user)
			handled <- user.N
			return err
		}))
	}()
	defer func() { cancel(); <-done; client.Close() }()
	w.eventually("the subscription", func() error { _, err := w.describe("s"); return err })
	const keys = 8
	publish := func(from, to int) {
		for n := from; n < to; n++ {
			w.publish("db.user.update", fmt.Sprintf(`{"id":"%d","n":%d}`, n%keys, n))
		}
	}
	next := make([]int, keys) // of each key
	take := func(count int) {
		t.Helper()
		for range count {
			select {
			case n := <-handled:
				if key := n % keys; n != key+keys*next[key] {
					t.Errorf("key %d got %d, want %d", key, n, key+keys*next[key])
				} else {
					next[key]++
				}
			case <-time.After(w.patience):
				t.Fatalf("%v handled", next)
			}
		}
	}
	publish(0, 5*keys)
	take(5 * keys)
	before := w.pauseConsumer("s", fmt.Sprintf("workers-%d", subjects.Partition("1", 2)))
	publish(5*keys, 10*keys)
	take(5 * keys)
	if w.awaitConsumer("s", before.Name).Created.Equal(before.Created) {
		t.Error("the consumer is the same")
	}
	select {
	case n := <-handled:
		t.Errorf("%d came again", n)
	default:
	}
}
