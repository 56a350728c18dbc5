package replhubtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/replhubtest"
)

func counting(n *atomic.Int64) replhub.Handler {
	return replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
		n.Add(1)
		return nil
	})
}

func reaches(n *atomic.Int64, want int64) func() error {
	return func() error {
		if got := n.Load(); got < want {
			return fmt.Errorf("%d of %d", got, want)
		}
		return nil
	}
}

func event(key string) replhub.Event {
	return replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(`{}`)}
}

func TestCrashesOfHubServerAndInstance(t *testing.T) {
	hub := replhubtest.Start(t)
	var first, second atomic.Int64
	one := hub.Subscribe(t, "sharing", users(replhub.OrderNone), counting(&first))
	hub.Publish(t, event("1"))
	hub.AwaitDrained(t, "sharing")

	hub.KillHub(t)
	hub.Publish(t, event("2"))
	if n := first.Load(); n != 1 {
		t.Errorf("%d handled while no hub ran, want 1", n)
	}
	hub.StartHub(t)
	hub.AwaitDrained(t, "sharing")

	url := hub.URL()
	hub.RestartServer(t)
	if hub.URL() != url {
		t.Errorf("the server is at %s now, was at %s", hub.URL(), url)
	}
	hub.Publish(t, event("3"))
	hub.AwaitDrained(t, "sharing")
	if n := first.Load(); n != 3 {
		t.Errorf("%d handled, want 3", n)
	}

	one.Kill()
	hub.Publish(t, event("4"))
	hub.Subscribe(t, "sharing", users(replhub.OrderNone), counting(&second))
	hub.AwaitDrained(t, "sharing")
	if first.Load() != 3 || second.Load() != 1 {
		t.Errorf("%d and %d handled, want 3 and 1", first.Load(), second.Load())
	}
	if n := hub.Redeliver(t, "sharing", 1); n != 4 {
		t.Errorf("%d to be redelivered, want 4", n)
	}
	replhubtest.Await(t, "all four to come again", reaches(&second, 5))
	hub.AwaitDrained(t, "sharing")
}

func TestKilledInstanceIsCutShortAndAcknowledgesNothing(t *testing.T) {
	hub := replhubtest.Start(t)
	begun := make(chan struct{})
	var cut atomic.Bool
	first := hub.Subscribe(t, "sharing", users(replhub.OrderNone), replhub.HandlerFunc(func(ctx context.Context, _ *replhub.Delivery) error {
		close(begun)
		<-ctx.Done()
		cut.Store(true)
		return nil
	}))
	hub.Publish(t, event("1"))
	<-begun
	killed := time.Now()
	first.Kill()
	if took := time.Since(killed); !cut.Load() || took > 5*time.Second {
		t.Errorf("the handler was not cut short, but ended after %s", took)
	}
	var second atomic.Int64
	hub.Subscribe(t, "sharing", users(replhub.OrderNone), counting(&second))
	replhubtest.Await(t, "the event to come again", reaches(&second, 1))
	hub.AwaitDrained(t, "sharing")
}

func TestStopDrains(t *testing.T) {
	hub := replhubtest.Start(t)
	var n atomic.Int64
	i := hub.Subscribe(t, "sharing", users(replhub.OrderKey), counting(&n))
	hub.Publish(t, event("1"), event("2"))
	hub.AwaitDrained(t, "sharing")
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	<-i.Done()
	if n.Load() != 2 {
		t.Errorf("%d handled, want 2", n.Load())
	}
}

func TestLimits(t *testing.T) {
	hub := replhubtest.Start(t, replhubtest.WithMaxPayload(64<<10), replhubtest.WithIngestLimit(1<<20))
	client := hub.Client(t, "profile")
	big := event("1")
	big.Data = make([]byte, 65<<10)
	if _, err := client.Publish(t.Context(), big); !errors.Is(err, replhub.ErrTooLarge) {
		t.Errorf("error %v, want %v", err, replhub.ErrTooLarge)
	}
	big.Data = big.Data[:32<<10]
	var err error
	for range 100 {
		if _, err = client.Publish(t.Context(), big); err != nil {
			break
		}
	}
	if !errors.Is(err, replhub.ErrIngestFull) {
		t.Errorf("error %v, want %v", err, replhub.ErrIngestFull)
	}
}

func TestDedupeWindow(t *testing.T) {
	hub := replhubtest.Start(t, replhubtest.WithDedupeWindow(100*time.Millisecond))
	same := event("1")
	same.ID = "one"
	hub.Publish(t, same)
	replhubtest.Await(t, "the window to pass", func() error {
		if hub.Publish(t, same)[0].Duplicate {
			return errors.New("known still")
		}
		return nil
	})
}

func TestWithoutHub(t *testing.T) {
	hub := replhubtest.Start(t, replhubtest.WithoutHub())
	client := hub.Client(t, "sharing", func(c *replhub.Config) { c.Timeout = time.Second })
	if _, err := client.Register(t.Context(), users("").Registration); !errors.Is(err, replhub.ErrNoHub) {
		t.Errorf("error %v, want %v", err, replhub.ErrNoHub)
	}
	hub.StartHub(t)
	hub.StartHub(t) // one is enough
	if _, err := client.Register(t.Context(), users("").Registration); err != nil {
		t.Error(err)
	}
}

func TestFailuresSayWhatWasMissed(t *testing.T) {
	hub := replhubtest.Start(t)
	stuck := users(replhub.OrderNone)
	stuck.MaxAttempts = 1
	hub.Subscribe(t, "parked", stuck, replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
		return replhub.Park(errors.New("no"))
	}))
	if _, err := hub.Client(t, "idle").Register(t.Context(), users("").Registration); err != nil {
		t.Fatal(err)
	}
	hub.Publish(t, event("1"))
	hub.AwaitDrained(t, "parked")
	if n := hub.DeadLetters(t, "parked"); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
	short := replhubtest.Within(50 * time.Millisecond)
	for name, tt := range map[string]struct {
		do   func(t replhubtest.T)
		says string
	}{
		"drained": {
			func(t replhubtest.T) { hub.AwaitDrained(t, "idle", short) },
			"waited for idle to be drained: not within 50ms: its lane is live, 0 events are not copied, 1 not acknowledged, 0 are dead letters",
		},
		"unknown service": {
			func(t replhubtest.T) { hub.AwaitDrained(t, "nobody", short) },
			"not_found",
		},
		"await": {
			func(t replhubtest.T) {
				replhubtest.Await(t, "Godot", func() error { return errors.New("not today") }, short)
			},
			"waited for Godot: not within 50ms: not today",
		},
		"publish": {
			func(t replhubtest.T) { hub.Publish(t, replhub.Event{Entity: "User"}) },
			"publish: ",
		},
		"redeliver": {
			func(t replhubtest.T) { hub.Redeliver(t, "nobody", 1) },
			"redeliver to nobody: ",
		},
		"handler missing": {
			func(t replhubtest.T) { hub.Subscribe(t, "late", users(""), nil) },
			"subscribe late: ",
		},
		"not registered": {
			func(t replhubtest.T) {
				hub.Subscribe(t, "late", replhub.SubscriberConfig{}, counting(new(atomic.Int64)))
			},
			"subscribe late: ",
		},
		"service's name": {
			func(t replhubtest.T) { hub.Client(t, "Not A Name") },
			`client "Not A Name": config: Service`,
		},
		"share": {
			func(t replhubtest.T) { replhubtest.NewChaos(t, replhubtest.ChaosConfig{Crashes: 2}) },
			"chaos: config: Crashes 2: must be at most 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := failure(t, tt.do); !strings.Contains(got, tt.says) {
				t.Errorf("said %q, want %q in it", got, tt.says)
			}
		})
	}
}

func TestInstanceThatEndsByItselfFailsTheTest(t *testing.T) {
	hub := replhubtest.Start(t)
	a := &attempt{}
	t.Run("within", func(t *testing.T) {
		a.T = t
		i := hub.Subscribe(a, "sharing", users(""), counting(new(atomic.Int64)))
		if _, err := hub.Client(t, "sharing").Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := drop(t, hub, "sharing"); err != nil {
			t.Fatal(err)
		}
		<-i.Done()
	})
	if len(a.said) != 1 || !strings.Contains(a.said[0], replhub.ErrUnregistered.Error()) {
		t.Errorf("said %q, want that it is not registered", a.said)
	}
}

// drop removes a service's lane.
func drop(t *testing.T, hub *replhubtest.Hub, service string) error {
	t.Helper()
	nc, err := nats.Connect(hub.URL())
	if err != nil {
		return err
	}
	defer nc.Close()
	m, err := nc.Request("replhub.drop."+service, []byte("{}"), 5*time.Second)
	if err == nil && m.Header.Get("Nats-Service-Error-Code") != "" {
		err = errors.New(string(m.Data))
	}
	return err
}

func TestWhatWasHeldBackOutlivesTheInstance(t *testing.T) {
	hub := replhubtest.Start(t)
	chaos := replhubtest.NewChaos(t, only(func(c *replhubtest.ChaosConfig) { c.Overtaken, c.MaxDelay = 1, 500*time.Millisecond }))
	sub := users(replhub.OrderNone)
	sub.Middleware = []replhub.Middleware{chaos.Wrap}
	var handled atomic.Int64
	instance := hub.Subscribe(t, "sharing", sub, counting(&handled))
	hub.Publish(t, event("1"))
	hub.AwaitDrained(t, "sharing")
	instance.Kill()
	replhubtest.Await(t, "the delivery that was acknowledged", reaches(&handled, 1))
}
