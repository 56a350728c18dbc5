package replhubtest

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
)

// Instance is a subscriber that runs until the test ends, or is stopped or
// killed. Its methods may be called concurrently.
type Instance struct {
	nc     *nats.Conn
	client *replhub.Client
	stop   context.CancelFunc
	kill   context.CancelFunc // of the handlers' context
	done   chan struct{}
	err    error // after done
	asked  sync.Once
}

var errKilled = errors.New("the instance was killed")

// Subscribe runs an instance of a service, over a connection of its own, and returns
// when the instance requests events. If the instance ends by itself with an error,
// and neither Stop nor Err was called, the test fails.
func (h *Hub) Subscribe(t T, service string, sub replhub.SubscriberConfig, handler replhub.Handler) *Instance {
	t.Helper()
	life, kill := context.WithCancel(context.Background())
	return h.subscribe(t, service, kill, func(client *replhub.Client) (*replhub.Subscriber, error) {
		return replhub.NewSubscriber(client, sub, mortal(life, handler))
	})
}

// SubscribeBatch is Subscribe with a handler of batches.
func (h *Hub) SubscribeBatch(t T, service string, sub replhub.SubscriberConfig, handler replhub.BatchHandler) *Instance {
	t.Helper()
	life, kill := context.WithCancel(context.Background())
	return h.subscribe(t, service, kill, func(client *replhub.Client) (*replhub.Subscriber, error) {
		return replhub.NewBatchSubscriber(client, sub, mortalBatch(life, handler))
	})
}

// maker makes the subscriber of an instance.
type maker func(client *replhub.Client) (*replhub.Subscriber, error)

func (h *Hub) subscribe(t T, service string, kill context.CancelFunc, of maker) *Instance {
	t.Helper()
	i := &Instance{kill: kill, done: make(chan struct{})}
	s, err := h.newSubscriber(t.Context(), i, service, of)
	if err != nil {
		kill()
		t.Fatalf("subscribe %s: %v", service, err)
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	go func() {
		defer close(i.done)
		i.err = s.Run(ctx)
	}()
	t.Cleanup(func() { i.end(t, service) })
	select {
	case <-s.Ready():
	case <-i.done:
		t.Fatalf("subscribe %s: %v", service, i.Err())
	}
	return i
}

func (h *Hub) newSubscriber(ctx context.Context, i *Instance, service string, of maker) (_ *replhub.Subscriber, err error) {
	if i.nc, err = h.connect(service); err != nil {
		return nil, err
	}
	i.client, err = replhub.Connect(ctx, replhub.Config{Conn: i.nc, Service: service, Logger: h.log})
	if err != nil {
		i.nc.Close()
		return nil, err
	}
	s, err := of(i.client)
	if err != nil {
		i.client.Close()
		i.nc.Close()
	}
	return s, err
}

// mortal makes a handler that is cut short when life ends, and does nothing after.
func mortal(life context.Context, handler replhub.Handler) replhub.Handler {
	if handler == nil {
		return nil // the subscriber's to refuse
	}
	return replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		return within(ctx, life, func(ctx context.Context) error { return handler.Handle(ctx, d) })
	})
}

func mortalBatch(life context.Context, handler replhub.BatchHandler) replhub.BatchHandler {
	if handler == nil {
		return nil // the subscriber's to refuse
	}
	return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		return within(ctx, life, func(ctx context.Context) error { return handler.HandleBatch(ctx, batch) })
	})
}

// within calls handle with a context that also ends with life, and not at all
// after that, except for what the chaos has held back: that was acknowledged, so it
// was with some other process all the time.
func within(ctx, life context.Context, handle func(context.Context) error) error {
	if isHeldBack(ctx) {
		return handle(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(life, func() { cancel(errKilled) })()
	if life.Err() != nil {
		return errKilled
	}
	err := handle(ctx)
	if life.Err() != nil {
		return errKilled
	}
	return err
}

// Stop drains the instance, as a restart would, and returns Run's error.
func (i *Instance) Stop() error {
	i.stop()
	<-i.done
	return i.Err()
}

// Kill disconnects the instance in the middle of its work, as a crash would: it sends
// no further acknowledgements, the contexts of running handlers are cancelled, and it
// does not tell the hub that it leaves. Its events are delivered to other instances
// after Queue.AckWait, or after a few seconds under OrderKey.
func (i *Instance) Kill() {
	i.asked.Do(func() {}) // how it ended is no news
	i.kill()
	i.nc.Close()
	i.stop()
	<-i.done
}

// Done returns a channel that is closed when the instance has ended.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Err returns Run's error, once Done is closed; nil before.
func (i *Instance) Err() error {
	select {
	case <-i.done:
		i.asked.Do(func() {})
		return i.err
	default:
		return nil
	}
}

// end is the end of the test.
func (i *Instance) end(t T, service string) {
	t.Helper()
	i.stop()
	<-i.done
	i.asked.Do(func() {
		if i.err != nil {
			t.Errorf("instance of %s: %v", service, i.err)
		}
	})
	i.kill()
	i.client.Close()
	i.nc.Close()
}
