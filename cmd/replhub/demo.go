package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// demoPause is the time between two events of the demo, for eyes to follow.
	demoPause = 700 * time.Millisecond
	// demoInstances is how many instances each subscriber has.
	demoInstances = 2
	// demoPublisher is the service that owns the users.
	demoPublisher = "user-profile"
	// demoSettle bounds the wait for the last events to be handled.
	demoSettle = 10 * time.Second
)

// demoSubscriber is a service that keeps a part of the users.
type demoSubscriber struct {
	name  string
	wants string // for people
	// interest is the whole registration, as any service would send it.
	interest string
}

func demoSubscribers() []demoSubscriber {
	return []demoSubscriber{
		{
			"sharing", "id and name of every user",
			`{"interests":[{"entity":"user","fields":["id","name"]}]}`,
		},
		{
			"application", "id, tenant and email of the users of tenant acme",
			`{"interests":[{"entity":"user","filter":"data.tenant == 'acme'","fields":["id","tenant","profile.email"]}]}`,
		},
	}
}

// demo is one run of it.
type demo struct {
	server *embedded.Server
	screen *demoScreen
	// pause is the time between two events.
	pause time.Duration
}

// runDemo plays until ctx ends, or for as many events or as long as the flags
// say.
func (a *app) runDemo(ctx context.Context, o devOptions, server *embedded.Server) error {
	if o.demoFor > 0 {
		limited, cancel := context.WithTimeout(ctx, o.demoFor)
		defer cancel()
		ctx = limited
	}
	d := demo{server: server, screen: newDemoScreen(a.out, a.isTerminal(a.out)), pause: demoPause}
	if o.demoEvents > 0 {
		d.pause /= 10 // nobody watches
	}
	err := d.play(ctx, o.demoEvents)
	if ctx.Err() != nil {
		err = nil // the curtain, whatever was under way
	}
	d.screen.summary()
	return err
}

// play registers the subscribers, starts their instances and publishes.
func (d demo) play(ctx context.Context, events int) error {
	publisher, err := d.server.Connect(nats.Name(demoPublisher))
	if err != nil {
		return err
	}
	defer publisher.Close()
	d.screen.sayf("%s publishes users; their password hashes are nobody else's business.", demoPublisher)
	for _, s := range demoSubscribers() {
		if _, err := demoRequest[contract.Registered](ctx, publisher, "replhub.register."+s.name, s.interest); err != nil {
			return err
		}
		d.screen.sayf("%s wants %s; %d instances share its queue.", s.name, s.wants, demoInstances)
	}
	d.screen.sayf("")

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range demoSubscribers() {
		for i := range demoInstances {
			group.Go(func() error { return d.work(ctx, s.name, i+1) })
		}
	}
	group.Go(func() error {
		defer stop()
		if err := d.publish(ctx, publisher, events); err != nil {
			return err
		}
		return d.settle(ctx, publisher)
	})
	return group.Wait()
}

// publish publishes a number of events, or until ctx ends when that is 0.
func (d demo) publish(ctx context.Context, nc *nats.Conn, events int) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	tick := time.NewTicker(d.pause)
	defer tick.Stop()
	for n := 0; events == 0 || n < events; n++ {
		e := demoEvent(n)
		m := nats.NewMsg("db.user." + e.op)
		m.Header.Set(contract.HeaderOrigin, demoPublisher)
		m.Data = []byte(e.payload)
		err := d.screen.publish(e, func() error {
			_, err := js.PublishMsg(ctx, m)
			return err
		})
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// work is the life of one instance of a subscriber.
func (d demo) work(ctx context.Context, service string, instance int) error {
	nc, err := d.server.Connect(nats.Name(fmt.Sprintf("%s %d", service, instance)))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	queue, err := js.Consumer(ctx, contract.StreamLanePrefix+service, contract.ConsumerWorkers)
	if err != nil {
		return fmt.Errorf("%s: find the queue: %w", service, err)
	}
	// One at a time, so that the instances take turns.
	messages, err := queue.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return fmt.Errorf("%s: read the queue: %w", service, err)
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: next event: %w", service, err)
		}
		// A service would apply it to its database here, and ack after that.
		if err := m.DoubleAck(ctx); err != nil {
			return fmt.Errorf("%s: acknowledge: %w", service, err)
		}
		d.screen.took(service, instance, m.Subject(), m.Headers().Get(contract.HeaderKey), m.Data())
	}
}

// settle waits until every subscriber has handled all that it is due.
func (d demo) settle(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoSettle, errors.New("the last events were not handled in time"))
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for _, s := range demoSubscribers() {
		for {
			lane, err := demoRequest[contract.LaneStatus](ctx, nc, "replhub.describe."+s.name, "{}")
			if err != nil {
				return err
			}
			if lane.Lag == 0 && lane.Backlog == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-look.C:
			}
		}
	}
	return nil
}

// demoRequest sends a control request and decodes its reply.
func demoRequest[Reply any](ctx context.Context, nc *nats.Conn, subject, body string) (Reply, error) {
	var reply Reply
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, []byte(body))
	if err != nil {
		return reply, fmt.Errorf("%s: %w", subject, err)
	}
	var refusal contract.Refusal
	if err := json.Unmarshal(m.Data, &refusal); err == nil && refusal.Error != nil {
		return reply, fmt.Errorf("%s: %w", subject, refusal.Error)
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return reply, fmt.Errorf("%s: read the reply: %w", subject, err)
	}
	return reply, nil
}
