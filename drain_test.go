package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

func TestDrainFinishesWhatHasBegunAndGivesBackTheRest(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			begun, finish := make(chan struct{}, 10), make(chan struct{})
			var handled atomic.Int32
			first := l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue), Workers: 2},
				func(context.Context, *replhub.Delivery) error {
					begun <- struct{}{}
					<-finish
					handled.Add(1)
					return nil
				})
			l.feed(0, 100, keyed(10))
			<-begun
			<-begun
			stopped := make(chan error, 1)
			go func() { stopped <- first.stop() }()
			rec := newBook()
			l.instance("sharing", replhub.SubscriberConfig{}, func(_ context.Context, d *replhub.Delivery) error {
				defer rec.begin("second", d)()
				return nil
			})
			if queue.Order == replhub.OrderNone {
				l.eventually("the rest", func() error { total, _ := rec.counts(); return count("events", total, 98) })
			}
			close(finish)
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			l.eventually("the rest", func() error { total, _ := rec.counts(); return count("events", total, 98) })
			if n := handled.Load(); n != 2 {
				t.Errorf("%d handled by the first, want the 2 that it had begun", n)
			}
			if queue.Order == replhub.OrderKey {
				rec.check(t) // without order instances race
			}
		})
	}
}

func TestDrainIsBounded(t *testing.T) {
	l := newLab(t)
	l.startHub()
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(replhub.Queue{}), DrainTimeout: 100 * time.Millisecond},
		func(context.Context, *replhub.Delivery) error {
			close(begun)
			<-release // heeds nothing
			return nil
		})
	l.feed(0, 1, keyed(1))
	<-begun
	if err := i.stop(); !errors.Is(err, replhub.ErrDrainTimeout) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestDrainCutsHandlersShort(t *testing.T) {
	l := newLab(t)
	l.startHub()
	begun := make(chan struct{}, 2)
	i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(replhub.Queue{}), DrainTimeout: 10 * time.Millisecond},
		func(ctx context.Context, _ *replhub.Delivery) error {
			begun <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
	l.feed(0, 1, keyed(1))
	<-begun
	if err := i.stop(); err != nil {
		t.Error(err)
	}
	deadLetters(t, l, 0)
	again := make(chan int, 1)
	l.instance("sharing", replhub.SubscriberConfig{}, func(_ context.Context, d *replhub.Delivery) error {
		again <- d.Attempt
		return nil
	})
	if attempt := <-again; attempt != 2 {
		t.Errorf("attempt %d", attempt)
	}
}

func TestRunEndsWhenTheLaneDoes(t *testing.T) {
	cases := map[string]struct {
		end  func(l *lab, i *instance)
		want error
	}{
		"told that it is detached": {
			func(l *lab, i *instance) {
				l.detach("sharing")
				// What tells is one message, which may come before the server knows who
				// listens: what is true, an instance learns in its time.
				nc, again, patience := l.js().Conn(), time.NewTicker(50*time.Millisecond), time.After(20*time.Second)
				defer again.Stop()
				for {
					_ = nc.Publish("replhub._detached.sharing", []byte("too slow"))
					select {
					case <-i.done:
						return
					case <-patience:
						return
					case <-again.C:
					}
				}
			}, replhub.ErrDetached,
		},
		"dropped": {
			func(l *lab, _ *instance) {
				var reply any
				l.ask("replhub.unregister.sharing", &reply)
				l.ask("replhub.drop.sharing", &reply)
			}, replhub.ErrUnregistered,
		},
	}
	for name, tt := range cases {
		for order, queue := range orders {
			t.Run(name+"/"+order, func(t *testing.T) {
				l := newLab(t)
				l.startHub()
				i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)},
					func(context.Context, *replhub.Delivery) error { return nil })
				tt.end(l, i)
				if err := i.wait(); !errors.Is(err, tt.want) {
					t.Errorf("Run ended with %v", err)
				}
			})
		}
	}
}

// detach cuts a lane off as another hub would.
func (l *lab) detach(service string) {
	l.t.Helper()
	l.eventually("a state record of another hub", func() error {
		stream, err := l.js().Stream(l.t.Context(), "SUB_"+service)
		if err != nil {
			return err
		}
		newest, err := stream.GetLastMsgForSubject(l.t.Context(), "sub."+service+"._state")
		if err != nil {
			return err
		}
		var state map[string]any
		if err := json.Unmarshal(newest.Data, &state); err != nil {
			return err
		}
		state["detached"] = map[string]any{"reason": "too slow", "time": time.Now().UTC()}
		m := nats.NewMsg("sub." + service + "._state")
		m.Header.Set(contract.HeaderState, "1")
		m.Header.Set(contract.HeaderExpectedLastSeq, strconv.FormatUint(stream.CachedInfo().State.LastSeq, 10))
		if m.Data, err = json.Marshal(state); err != nil {
			return err
		}
		_, err = l.js().PublishMsg(l.t.Context(), m)
		return err
	})
}

// TestForgedNoticeEndsNothing: an instance asks the hub whether its lane is detached.
func TestForgedNoticeEndsNothing(t *testing.T) {
	l := newLab(t)
	l.startHub()
	var handled atomic.Int32
	i := l.instance("sharing", replhub.SubscriberConfig{Registration: users(replhub.Queue{})}, func(context.Context, *replhub.Delivery) error {
		handled.Add(1)
		return nil
	})
	feed := func(n int) {
		t.Helper()
		l.feed(n, n+1, keyed(1))
		l.eventually("an event to be handled", func() error {
			select {
			case <-i.done:
				t.Fatalf("Run ended with %v", i.wait())
			default:
			}
			if int(handled.Load()) <= n {
				return errors.New("not yet")
			}
			return nil
		})
	}
	feed(0)
	for range 10 {
		if err := l.js().Conn().Publish("replhub._detached.sharing", []byte("forged")); err != nil {
			t.Fatal(err)
		}
	}
	var described any
	l.ask("replhub.describe.sharing", &described) // the notices are delivered before the answer
	feed(1)
	if err := i.stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestRunNeedsALane(t *testing.T) {
	l := newLab(t)
	l.startHub()
	i := l.instance("sharing", replhub.SubscriberConfig{}, func(context.Context, *replhub.Delivery) error { return nil })
	if err := i.wait(); !errors.Is(err, replhub.ErrUnregistered) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestRunEndsWithTheClient(t *testing.T) {
	l := newLab(t)
	l.startHub()
	client := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	s, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{Registration: users(replhub.Queue{})},
		replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	<-s.Ready()
	client.Close()
	if err := <-done; !errors.Is(err, replhub.ErrClosed) {
		t.Errorf("Run ended with %v", err)
	}
}

// A held key goes on when its event does; others do not wait.
func TestHeldKeyWaitsForItsEvent(t *testing.T) {
	l := newLab(t)
	l.startHub()
	var repaired atomic.Bool
	rec := newBook()
	dead := make(chan struct{}, 1)
	l.instance("sharing", replhub.SubscriberConfig{
		Registration: users(orders["key"]), HoldKey: true, MaxAttempts: 2, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		OnDead: func(*replhub.Delivery, error) { dead <- struct{}{} },
	}, func(_ context.Context, d *replhub.Delivery) error {
		if string(d.Data) == "0" && !repaired.Load() {
			return errors.New("broken")
		}
		defer rec.begin("", d)()
		return nil
	})
	l.feed(0, 40, keyed(2))
	l.eventually("the other key", func() error { total, _ := rec.counts(); return count("events", total, 20) })
	<-dead
	repaired.Store(true)
	l.eventually("the held key", func() error { total, _ := rec.counts(); return count("events", total, 40) })
	rec.check(t)
	deadLetters(t, l, 1)
}

// A letter of the SDK's is one of the hub's: it can be brought back.
func TestDeadLetterIsRedriven(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			var repaired atomic.Bool
			got := make(chan replhub.Delivery, 1)
			dead := make(chan struct{}, 1)
			l.instance("sharing", replhub.SubscriberConfig{
				Registration: users(queue),
				OnDead:       func(*replhub.Delivery, error) { dead <- struct{}{} },
			}, func(_ context.Context, d *replhub.Delivery) error {
				if !repaired.Load() {
					return replhub.Park(errors.New("not yet"))
				}
				got <- *d
				return nil
			})
			publish(t, l, replhub.Event{Entity: "user", Op: replhub.Create, Key: "42", Data: []byte(`{"id":"42"}`)})
			<-dead
			repaired.Store(true)
			var reply contract.Redriven
			m, err := l.js().Conn().Request("replhub.redrive.sharing", []byte(`{"all":true}`), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(m.Data, &reply); err != nil || reply.Redriven != 1 {
				t.Fatalf("redrive: %s, %v", m.Data, err)
			}
			d := <-got
			if d.Key != "42" || string(d.Data) != `{"id":"42"}` || d.Header["Replhub-Redriven"][0] != "1" {
				t.Errorf("redriven %+v", d)
			}
			for _, name := range []string{"Replhub-Reason", "Replhub-Error", "Replhub-First-Attempt", "Replhub-Last-Attempt"} {
				if d.Header[name] != nil {
					t.Errorf("a copy with %s", name)
				}
			}
			deadLetters(t, l, 0)
		})
	}
}

func TestMiddlewareAndTypedHandlers(t *testing.T) {
	var calls []string
	around := func(name string) replhub.Middleware {
		return func(next replhub.Handler) replhub.Handler {
			return replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
				calls = append(calls, name)
				return next.Handle(ctx, d)
			})
		}
	}
	type row struct{ ID int }
	typed := replhub.JSON(func(_ context.Context, d *replhub.Delivery, r row) error {
		calls = append(calls, string(d.Op)+strconv.Itoa(r.ID))
		return nil
	})
	h := replhub.Chain(typed, around("outer"), around("inner"))
	for _, d := range []replhub.Delivery{{Op: replhub.Update, Data: []byte(`{"id":7}`)}, {Op: replhub.Delete}} {
		if err := h.Handle(t.Context(), &d); err != nil {
			t.Error(err)
		}
	}
	want := []string{"outer", "inner", "update7", "outer", "inner", "delete0"}
	if len(calls) != len(want) {
		t.Fatalf("calls %v", calls)
	}
	for i := range want {
		if calls[i] != want[i] {
			t.Fatalf("calls %v, want %v", calls, want)
		}
	}
}

func TestSubscriptionIsChecked(t *testing.T) {
	l := newLab(t)
	client := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	handler := replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error { return nil })
	for field, sub := range map[string]replhub.SubscriberConfig{
		"Workers": {Workers: -1}, "MaxInFlight": {MaxInFlight: -1}, "MaxAttempts": {MaxAttempts: -1}, "MinBackoff": {MinBackoff: -1},
		"MaxBackoff": {MinBackoff: time.Second, MaxBackoff: time.Millisecond}, "DrainTimeout": {DrainTimeout: -1}, "Instance": {Instance: "a b"},
	} {
		if _, err := replhub.NewSubscriber(client, sub, handler); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{}, nil); err == nil {
		t.Error("no handler is needed")
	}
	if _, err := replhub.NewSubscriber(l.client(), replhub.SubscriberConfig{}, handler); !errors.Is(err, replhub.ErrNoService) {
		t.Errorf("without a service: %v", err)
	}
}
