package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/replhubtest"
)

// once is a subscriber of a service that ends when it has caught up.
func once(t *testing.T, h *replhubtest.Hub, queue replhub.Queue, handler replhub.HandlerFunc) (*replhub.Subscriber, *bridge.CaughtUp) {
	t.Helper()
	client := h.Client(t, "sharing")
	s, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}}, Queue: queue},
		Workers:      2, MinBackoff: time.Millisecond,
	}, handler)
	if err != nil {
		t.Fatal(err)
	}
	return s, &bridge.CaughtUp{Client: client, Logger: slog.New(slog.DiscardHandler)}
}

func users(from, to int) []replhub.Event {
	var events []replhub.Event
	for i := from; i < to; i++ {
		events = append(events, replhub.Event{Entity: "user", Op: replhub.Update, Data: fmt.Appendf(nil, `{"id":"%d"}`, i)})
	}
	return events
}

// Everything that ingest held at the start has had its effect or is a dead letter,
// under both orders and while events go on coming.
func TestOnceEndsUnderLoad(t *testing.T) {
	for name, queue := range map[string]replhub.Queue{"none": {}, "key": {Order: replhub.OrderKey, Partitions: 3}} {
		t.Run(name, func(t *testing.T) {
			h := replhubtest.Start(t)
			h.Publish(t, users(0, 200)...)
			loading, stopLoad := context.WithCancel(t.Context())
			defer stopLoad()
			var handled atomic.Int32
			s, caught := once(t, h, queue, func(_ context.Context, d *replhub.Delivery) error {
				if d.Position.Seq > 200 {
					return nil
				}
				if handled.Add(1) == 100 {
					return replhub.Park(errors.New("a dead letter"))
				}
				return nil
			})
			client := h.Client(t, "load")
			loaded := make(chan struct{})
			go func() {
				defer close(loaded)
				for i := 1000; loading.Err() == nil; i++ {
					_, _ = client.Publish(loading, users(i, i+1)[0])
				}
			}()
			if err := bridge.Subscribe(t.Context(), s, caught); err != nil {
				t.Error(err)
			}
			stopLoad()
			<-loaded
			if n := handled.Load(); n != 200 {
				t.Errorf("%d handled at the end, want 200", n)
			}
			if n := h.DeadLetters(t, "sharing"); n != 1 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// It does not end while a handler is at work, nor where there is nothing to do for it.
func TestOnceWaitsForTheLastHandler(t *testing.T) {
	h := replhubtest.Start(t)
	h.Publish(t, users(0, 3)...)
	begun, finish := make(chan struct{}, 3), make(chan struct{})
	s, caught := once(t, h, replhub.Queue{}, func(context.Context, *replhub.Delivery) error {
		begun <- struct{}{}
		<-finish
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- bridge.Subscribe(t.Context(), s, caught) }()
	<-begun
	select {
	case err := <-ended:
		t.Fatalf("ended with a handler at work: %v", err)
	case <-time.After(1500 * time.Millisecond): // longer than a consumer has to rest
	}
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Paused workers cannot catch up, and a stop before the end is no success.
func TestOnceThatCannotEnd(t *testing.T) {
	h := replhubtest.Start(t)
	h.Publish(t, users(0, 3)...)
	block := make(chan struct{})
	s, caught := once(t, h, replhub.Queue{}, func(ctx context.Context, _ *replhub.Delivery) error {
		select {
		case <-block:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- bridge.Subscribe(ctx, s, caught) }()
	<-s.Ready()
	stop(stopped)
	close(block)
	if err := <-ended; !errors.Is(err, stopped) {
		t.Errorf("stopped: %v", err)
	}
	nc, err := nats.Connect(h.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("replhub.pause.sharing", []byte(`{"for":"1h"}`), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	s, _ = once(t, h, replhub.Queue{}, func(context.Context, *replhub.Delivery) error { return nil })
	if err := bridge.Subscribe(t.Context(), s, caught); !errors.Is(err, bridge.ErrPaused) {
		t.Errorf("paused: %v", err)
	}
}
