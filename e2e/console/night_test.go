package console_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
)

// A night of docs/night.md: a handler refuses some events, the database of a subscriber is
// down, and the owner of the rows that a new service asked for is away. Each is found and
// mended by the pages alone.
func TestNight(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := &night{stage: s, all: make(chan struct{})}
	n.begin()
	s.page.Look(1100, 500, "light")

	s.page.Go(s.url + "/")
	s.page.Await(`document.querySelector('#s-reports') && document.body.innerText.includes('waits for a snapshot') && document.body.innerText.includes('instances wait') && document.body.innerText.includes('dead letters')`)
	s.picture("night-1-overview")

	// The database of billing is down.
	s.page.Go(s.url + "/services/billing")
	s.page.Await(`document.body.innerText.includes('connection refused') && document.querySelectorAll('canvas').length === 3`)
	s.picture("night-2-outage")
	n.databaseUp.Store(true)
	s.page.Await(`!document.body.innerText.includes('connection refused') && document.body.innerText.includes('live') && !document.body.innerText.includes('waits since')`)

	// The owner of tenant is away.
	s.page.Go(s.url + "/services/reports")
	s.page.Await(`document.body.innerText.includes('no instance serves a snapshot') && document.querySelectorAll('canvas').length === 3`)
	s.picture("night-3-owner")
	n.serveTenants()
	s.page.Await(`document.body.innerText.includes('Fills that ended')`)
	s.picture("night-4-filled")

	// The handler of search refuses events.
	s.page.Go(s.url + "/letters?service=search")
	s.page.Await(`document.querySelector('.group')`)
	s.picture("night-5-letters")
	s.page.Go(s.url + "/row?entity=user&key=7&payload=show")
	s.page.Await(`document.querySelector('.fates .tag')`)
	s.picture("night-6-row")
	n.repaired.Store(true)
	s.page.Go(s.url + "/letters?service=search")
	s.page.Await(`document.querySelector('form[action="/do/redrive-group"]')`)
	s.page.Click(`form[action="/do/redrive-group"] button`)
	s.picture("night-7-redrive")
	s.page.Click(`form[method=post][action="/do/redrive-group"] button`)
	s.page.Await(`document.body.innerText.includes('went back into the lane')`)

	s.page.Go(s.url + "/")
	s.page.Await(`document.querySelector('#s-reports') && !document.body.innerText.includes('Degraded')`)
	s.picture("night-8-morning")
	select {
	case <-n.all:
	case <-time.After(time.Minute):
		t.Fatalf("search handled %d of %d events", n.handled.Load(), nightEvents)
	}
}

const nightEvents = 40

// night is a hub with services that have troubles.
type night struct {
	*stage

	databaseUp, repaired atomic.Bool
	handled              atomic.Int32
	all                  chan struct{} // closed when search has handled every event
}

// begin starts the services, publishes, and waits until every trouble is there.
func (n *night) begin() {
	n.Helper()
	users := []replhub.Interest{{Entity: "user"}}
	n.subscribe("search", users, func(_ context.Context, d *replhub.Delivery) error {
		if strings.Contains(string(d.Data), "Fitzwilliam") && !n.repaired.Load() {
			return fmt.Errorf("index user %s: field name: 43 characters, more than 40", d.Key)
		}
		if n.handled.Add(1) == nightEvents {
			close(n.all)
		}
		return nil
	})
	n.subscribe("billing", users, func(context.Context, *replhub.Delivery) error {
		if !n.databaseUp.Load() {
			return replhub.Unavailable(errors.New("dial tcp 10.0.3.7:5432: connect: connection refused"))
		}
		return nil
	})
	n.subscribe("mailer", users, func(context.Context, *replhub.Delivery) error { return nil })
	n.call("register.reports", `{"interests":[{"entity":"tenant","start":"snapshot"}]}`)
	for i := range nightEvents {
		name := fmt.Sprintf("Ada %d", i)
		if i%8 == 7 {
			name = fmt.Sprintf("Charlotte Augusta Matilda Fitzwilliam the %dth", i)
		}
		n.publish("db.user.update", fmt.Sprintf(`{"id":"%d","name":%q}`, i, name))
	}
}

// subscribe starts an instance of a service.
func (n *night) subscribe(service string, interests []replhub.Interest, handle replhub.HandlerFunc) {
	n.Helper()
	client := n.client(service)
	sub, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: interests, Queue: replhub.Queue{Order: replhub.OrderKey}},
		Instance:     service + "-1", MaxAttempts: 3, MinBackoff: 10 * time.Millisecond,
	}, handle)
	if err != nil {
		n.Fatal(err)
	}
	n.beside(sub.Run)
	select { // what is published before a service is registered is not due to it
	case <-sub.Ready():
	case <-time.After(time.Minute):
		n.Fatalf("%s is not ready", service)
	}
}

func (n *night) client(service string) *replhub.Client {
	n.Helper()
	client, err := replhub.Connect(n.Context(), replhub.Config{URL: n.natsURL, Service: service})
	if err != nil {
		n.Fatal(err)
	}
	n.Cleanup(client.Close)
	return client
}

// serveTenants starts an instance of the service that owns the tenants.
func (n *night) serveTenants() {
	n.Helper()
	client := n.client("accounts")
	n.beside(func(ctx context.Context) error {
		return client.ServeSnapshot(ctx, "tenant", func(_ context.Context, after string, yield func(replhub.Event) error) error {
			for i := range 500 {
				id := fmt.Sprintf("t%03d", i)
				if id <= after {
					continue
				}
				if err := yield(replhub.Event{Entity: "tenant", Op: replhub.Create, Key: id, Data: []byte(`{"id":"` + id + `"}`)}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// beside runs something until the test ends.
func (n *night) beside(do func(context.Context) error) {
	n.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := do(ctx); err != nil && ctx.Err() == nil {
			n.Error(err)
		}
	}()
	n.Cleanup(func() { cancel(); <-done })
}
