package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/outbox"
	"github.com/replhub/replhub/replhubtest"
)

const (
	sharedKeys  = 50
	peerWriters = 3 // of each service
	// forgotten is the hub's dedupe window, after which an event that is sent
	// again is another one.
	forgotten = 100 * time.Millisecond
	// longestDelay is how long a delivery is held back at most.
	longestDelay = 20 * time.Millisecond
	// appTime is the header of a writer's own time.
	appTime = "App-Time"
)

// exchange is how two services write the same users.
type exchange struct {
	dialect database.Dialect
	rule    string // of rules
	echo    bool
	handler func(r *replica) replhub.BatchHandler
	traffic
}

// traffic is how many writes each writer makes and how far apart, and the share of
// deliveries that are repeated late, and of those that are overtaken.
type traffic struct {
	writes int
	every  time.Duration
	late   float64
}

// some traffic shows in a moment what is missing; much has three times the writes, at length five times.
var (
	some = traffic{40, 10 * time.Millisecond, 0.4}
	much = traffic{times(120, 200), time.Millisecond, 0.1}
)

// inBatches replicates into the table of users.
func inBatches(r *replica) replhub.BatchHandler { return r.users.Handler(r.DB) }

// eachBy applies the deliveries of a batch one after the other.
func eachBy(apply applier) func(r *replica) replhub.BatchHandler {
	return func(r *replica) replhub.BatchHandler {
		return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
			for _, d := range batch {
				if err := apply(ctx, r, d, false); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// Two services, each with a database, an outbox and a relay of its own, write
// the same keys at once and replicate each other's writes through a hub. Both
// end with what wins by their rule, though deliveries are late, lost, repeated
// and out of order, and old events are sent again.
func TestTwoWayThroughAHub(t *testing.T) {
	for name, x := range map[string]exchange{
		"position":                               {database.Postgres, "position", true, inBatches, much},
		"version":                                {database.Postgres, "version", true, inBatches, much},
		"time":                                   {database.Postgres, "time", true, inBatches, much},
		"version, on SQLite":                     {database.SQLite, "version", true, inBatches, much},
		"version, on MariaDB":                    {database.MariaDB, "version", true, inBatches, much},
		"time, on MariaDB, " + snapshotIsolation: {database.MariaDB, "time", true, inBatches, much},
		"position, with effects":                 {database.Postgres, "position", true, eachBy(guarded), much},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := x.run(t)
			want := winners(x.rule, ingested(t, a.hub.URL()))
			if !comeTo(t, a, b, 10*time.Second, func(a, b map[string]string) bool { return maps.Equal(a, want) && maps.Equal(b, want) }) {
				t.Errorf("rows (-want +%s):\n%s\n(-want +%s):\n%s", a.name, cmp.Diff(want, a.rows(t)), b.name, cmp.Diff(want, b.rows(t)))
			}
		})
	}
}

// The check above sees what is missing.
func TestTwoWayThroughAHubNeeds(t *testing.T) {
	for name, x := range map[string]exchange{
		"echo":     {database.Postgres, "position", false, inBatches, some},
		"a policy": {database.Postgres, "newest", true, inBatches, some},
		"an inbox": {database.Postgres, "position", true, eachBy(unguarded), some},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := x.run(t)
			if comeTo(t, a, b, 10*longestDelay, maps.Equal[map[string]string, map[string]string]) {
				t.Error("both ended equal without it")
			}
		})
	}
}

// run has both write, and returns once each has been delivered everything. What
// the chaos holds back then is applied soon after.
func (x exchange) run(t *testing.T) (a, b *peer) {
	t.Helper()
	hub := replhubtest.Start(t, replhubtest.WithDedupeWindow(forgotten))
	peers := [2]*peer{newPeer(t, hub, x, "app", 0), newPeer(t, hub, x, "crm", -time.Minute)}
	for n, p := range peers {
		chaos := replhubtest.NewChaos(t, replhubtest.ChaosConfig{
			Seed: uint64(n + 1), WithinKey: true, Replays: x.late, Overtaken: x.late, MaxDelay: longestDelay,
		})
		hub.SubscribeBatch(t, p.name, replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Echo: x.echo}}},
		}, chaos.WrapBatch(x.handler(p.replica)))
	}
	group, ctx := errgroup.WithContext(t.Context())
	for _, p := range peers {
		for n := range peerWriters {
			group.Go(func() error { return p.writes(ctx, n, x.traffic) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.emptied(t)
	}
	// The old events of a key come side by side, so that one overtakes the other.
	for n := range sharedKeys {
		for _, p := range peers {
			if err := p.published.resend(t.Context(), sharedKey(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, p := range peers {
		hub.AwaitDrained(t, p.name)
	}
	return peers[0], peers[1]
}

// peer is a service that writes users, publishes them by its outbox, and
// replicates those of the other.
type peer struct {
	*replica

	hub       *replhubtest.Hub
	name      string
	stamp     func(d *replhub.Delivery, current inbox.Stamp, now time.Time)
	skew      time.Duration // of its clock
	box       *outbox.Outbox
	relay     *outbox.Relay
	published *published
}

func newPeer(t *testing.T, hub *replhubtest.Hub, x exchange, name string, skew time.Duration) *peer {
	t.Helper()
	p := &peer{
		replica: newReplica(t, inbox.Config{Dialect: x.dialect, Policy: rules[x.rule].policy, Time: writtenAt}),
		hub:     hub, name: name, stamp: rules[x.rule].stamp, skew: skew,
		published: &published{Client: hub.Client(t, name), first: make(map[string]replhub.Event)},
	}
	var err error
	if p.box, err = outbox.New(outbox.Config{Dialect: x.dialect}); err != nil {
		t.Fatal(err)
	}
	if err = p.box.Migrate(t.Context(), p.DB); err != nil {
		t.Fatal(err)
	}
	p.relay, err = p.box.NewRelay(outbox.RelayConfig{DB: p.DB, Publisher: p.published, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.relay.Run(ctx); err != nil {
			t.Errorf("relay of %s: %v", name, err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return p
}

// writtenAt is a writer's own time where it gave one.
func writtenAt(d *replhub.Delivery) time.Time { return timeOf(d.Header, d.Time) }

func timeOf(header map[string][]string, otherwise time.Time) time.Time {
	if given := header[appTime]; len(given) == 1 {
		if at, err := time.Parse(time.RFC3339Nano, given[0]); err == nil {
			return at
		}
	}
	return otherwise
}

func sharedKey(n int) string { return fmt.Sprintf("k%02d", n) }

// writes is what one writer does.
func (p *peer) writes(ctx context.Context, writer int, load traffic) error {
	rng := rand.New(rand.NewPCG(uint64(p.name[0]), uint64(writer)))
	ops := []replhub.Op{replhub.Create, replhub.Update, replhub.Update, replhub.Delete}
	tick := time.NewTicker(load.every) // so that what comes in is between what is written
	defer tick.Stop()
	for n := range load.writes {
		<-tick.C
		d := &replhub.Delivery{Entity: "user", Op: ops[rng.IntN(len(ops))], Key: sharedKey(rng.IntN(sharedKeys))}
		if d.Op != replhub.Delete {
			d.Data = fmt.Appendf(nil, `{"name":"%s-%d-%d"}`, p.name, writer, n)
		}
		if err := p.write(ctx, d); err != nil {
			return fmt.Errorf("%s writes: %w", p.name, err)
		}
		p.relay.Wake()
	}
	return nil
}

// write is one change of the service's own: its table and its outbox, in a
// transaction.
func (p *peer) write(ctx context.Context, d *replhub.Delivery) error {
	return database.InTransaction(ctx, p.DB, nil, func(tx *sql.Tx) error { return p.change(ctx, tx, d) })
}

func (p *peer) change(ctx context.Context, tx *sql.Tx, d *replhub.Delivery) error {
	ev := replhub.Event{Entity: d.Entity, Op: d.Op, Key: d.Key, Data: d.Data}
	if p.stamp != nil {
		current, err := p.inbox.Current(ctx, tx, d.Entity, d.Key)
		if err != nil {
			return err
		}
		p.stamp(d, current, time.Now().Add(p.skew))
		if ev.Version = d.Version; !d.Time.IsZero() {
			ev.Header = map[string][]string{appTime: {d.Time.Format(time.RFC3339Nano)}}
		}
	}
	if err := p.users.Apply(ctx, tx, d); err != nil {
		return err
	}
	return p.box.Enqueue(ctx, tx, ev)
}

// emptied waits until the outbox is empty.
func (p *peer) emptied(t *testing.T) {
	t.Helper()
	replhubtest.Await(t, "an empty outbox of "+p.name, func() error {
		stats, err := p.relay.Stats(t.Context())
		if err == nil && stats.Depth > 0 {
			err = fmt.Errorf("%d rows", stats.Depth)
		}
		return err
	})
}

// comeTo reports whether the users of both become as they should be in time.
func comeTo(t *testing.T, a, b *peer, within time.Duration, be func(a, b map[string]string) bool) bool {
	t.Helper()
	tick := time.NewTicker(longestDelay)
	defer tick.Stop()
	limit := time.After(within)
	for {
		if be(a.rows(t), b.rows(t)) {
			return true
		}
		select {
		case <-tick.C:
		case <-limit:
			return false
		}
	}
}
