package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

// assertOrder holds ingest against what was committed: of each key, versions
// one by one from 1, each once, and as many as there were commits.
func assertOrder(tb testing.TB, got []jetstream.Msg, committed map[string]int) {
	tb.Helper()
	last := map[string]int{}
	for _, m := range got {
		key := m.Headers().Get("Replhub-Key")
		version, err := strconv.Atoi(m.Headers().Get("Replhub-Version"))
		if err != nil || version != last[key]+1 {
			tb.Errorf("key %s: version %d after %d: %v", key, version, last[key], err)
		}
		last[key] = version
	}
	for key, n := range committed {
		if last[key] != n {
			tb.Errorf("key %s: %d events, %d were committed", key, last[key], n)
		}
	}
}

// exclusive fails the test when two relays are at work on one key.
func exclusive(tb testing.TB, next outbox.Publisher) outbox.Publisher {
	var mu sync.Mutex
	busy := map[string]int{}
	note := func(events []replhub.Event, by int) {
		mu.Lock()
		defer mu.Unlock()
		seen := map[string]bool{}
		for _, ev := range events {
			if seen[ev.Key] {
				continue
			}
			seen[ev.Key] = true
			if busy[ev.Key] += by; busy[ev.Key] > 1 {
				tb.Errorf("key %s is published by two relays at once", ev.Key)
			}
		}
	}
	return publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
		note(events, 1)
		defer note(events, -1)
		return next.PublishBatch(ctx, events)
	})
}

func TestOrderOfAKeyWithManyRelaysAndWriters(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.bus.slow()
		publisher := exclusive(t, p.bus.client)
		for range 4 {
			p.run(publisher, func(cfg *outbox.RelayConfig) { cfg.BatchSize = 7; cfg.Lease = 30 * time.Second })
		}
		const writers, each, keys = 8, 40, 10
		var mu sync.Mutex
		committed := map[string]int{}
		total := 0
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range each {
					key := strconv.Itoa(rand.IntN(keys))
					n := 1 + rand.IntN(2)
					back := rand.IntN(4) == 0
					p.retry(func() error { return p.write(key, n, back) })
					if !back {
						mu.Lock()
						committed[key] += n
						total += n
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		p.emptied()
		assertOrder(t, p.bus.stored(total), committed)
		if n := p.rows("_versions"); n != len(committed) {
			t.Errorf("%d rows of versions for %d keys", n, len(committed))
		}
	})
}

// write enqueues n events of a key in one transaction.
func (p *place) write(key string, n int, back bool) error {
	tx, err := p.db.BeginTx(p.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for range n {
		if err := p.box.Enqueue(p.Context(), tx, user(key)); err != nil {
			return err
		}
	}
	if back {
		return tx.Rollback()
	}
	return tx.Commit()
}

// slow gives the bus's client the patience that a busy machine needs.
func (b *bus) slow() {
	b.Helper()
	client, err := replhub.Connect(b.Context(), replhub.Config{Conn: b.nc, Service: "owner", Logger: quiet(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	b.client = client
}

// A row that is committed late has a lower id than those around it, and may
// appear while these are on their way.
func TestLateCommitWithALowerID(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.box = p.outbox(outbox.Config{Shards: 1})
		late := p.begin()
		if err := p.box.Enqueue(t.Context(), late, user("late")); err != nil {
			t.Fatal(err)
		}
		p.enqueue(user("early"))
		once := sync.OnceValue(late.Commit)
		p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			acks, err := p.bus.client.PublishBatch(ctx, events)
			return acks, errors.Join(err, once())
		}))
		p.emptied()
		got := p.bus.stored(2)
		if first := got[0].Headers().Get("Replhub-Key"); first != "early" {
			t.Errorf("first is %s", first)
		}
	}, postgres, mariadb)
}

// A relay that dies after the publish leaves rows: the next one publishes them
// again, under the same ids.
func TestRelayDiesBetweenPublishAndDelete(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		const n = 50
		committed := map[string]int{}
		for i := range n {
			key := strconv.Itoa(i % 5)
			p.enqueue(user(key))
			committed[key]++
		}
		dying := p.open()
		died := make(chan struct{})
		var once sync.Once
		_, stop := p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			acks, err := p.bus.client.PublishBatch(ctx, events)
			once.Do(func() {
				p.kill(dying)
				close(died)
			})
			return acks, err
		}), func(cfg *outbox.RelayConfig) { cfg.DB = dying; cfg.Workers = 1 })
		<-died
		stop()
		if left := p.rows(""); left != n {
			t.Fatalf("%d rows are left of %d: the relay did not die in time", left, n)
		}
		r, _ := p.run(p.bus.client)
		p.emptied()
		assertOrder(t, p.bus.stored(n), committed)
		eventually(t, "duplicates", func() error {
			stats, err := r.Stats(t.Context())
			if err != nil || stats.Duplicates == 0 || stats.Published != n {
				return fmt.Errorf("%+v, %w", stats, err)
			}
			return nil
		})
	})
}

// kill cuts a relay off from its database: the connections that it has, and
// new ones.
func (p *place) kill(db interface{ Close() error }) {
	switch p.Dialect {
	case database.Postgres:
		_, err := p.db.ExecContext(p.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()")
		if err != nil {
			p.Error(err)
		}
	case database.MariaDB:
		// The transaction's connection is the one that sleeps within it. The server
		// shows what it saw at the last look, unless that is 100 ms ago.
		var id int
		err := sql.ErrNoRows
		for range 10 {
			err = p.db.QueryRowContext(p.Context(), "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx t JOIN information_schema.processlist l "+
				"ON l.id = t.trx_mysql_thread_id WHERE l.db = DATABASE() AND l.command = 'Sleep'").Scan(&id)
			if !errors.Is(err, sql.ErrNoRows) {
				break
			}
			<-time.After(150 * time.Millisecond)
		}
		if err == nil {
			_, err = p.db.ExecContext(p.Context(), fmt.Sprintf("KILL %d", id))
		}
		if err != nil {
			p.Error(err)
		}
	default:
	}
	db.Close()
}

// Stopped in the middle of a batch, a relay still deletes what it published.
func TestStoppedRelayDeletesWhatItPublished(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.enqueue(user("1"), user("2"), user("3"))
		published := make(chan struct{})
		var once sync.Once
		_, stop := p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			acks, err := p.bus.client.PublishBatch(context.WithoutCancel(ctx), events)
			once.Do(func() { close(published) })
			<-ctx.Done()
			return acks, err
		}), func(cfg *outbox.RelayConfig) {
			cfg.Workers = 1
			cfg.PublishTimeout = time.Minute
			cfg.Lease = time.Hour
		})
		<-published
		stop()
		if got := p.rows(""); got > 2 {
			t.Errorf("%d rows are left", got)
		}
	})
}

func TestNATSAwayAndBack(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		log := &lines{}
		r, _ := p.run(p.bus.client, func(cfg *outbox.RelayConfig) { cfg.Logger = log.logger() })
		p.enqueue(user("1"))
		p.emptied()
		p.bus.server.Stop()
		p.enqueue(user("1"), user("2"))
		eventually(t, "retries", func() error {
			stats, err := r.Stats(t.Context())
			if err != nil || stats.Retries < 2 || stats.Depth != 2 || stats.Age <= 0 {
				return fmt.Errorf("%+v, %w", stats, err)
			}
			return nil
		})
		p.bus.server.Start()
		p.enqueue(user("1"))
		p.emptied()
		assertOrder(t, p.bus.stored(4), map[string]int{"1": 3, "2": 1})
		if n := log.count("cannot publish"); n != 1 {
			t.Errorf("the episode was logged %d times", n)
		}
		eventually(t, "the episode's end in the log", func() error {
			if log.count("publishes again") != 1 {
				return errors.New("none")
			}
			return nil
		})
	})
}

// An event that can never be published is set aside; its key and all others go
// on.
func TestPoisonIsSetAside(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		small := startBus(t, 4096)
		p.bus = small
		big := user("k", strings.Repeat("x", 5000))
		p.enqueue(user("k"), big, user("k"), user("l"))
		p.enqueue(user("m"))
		if _, err := p.db.ExecContext(t.Context(), "UPDATE replhub_outbox SET header = '{broken' WHERE entity_key = 'm'"); err != nil {
			t.Fatal(err)
		}
		r, stop := p.run(p.bus.client)
		p.emptied()
		got := p.bus.stored(3)
		var versions []string
		for _, m := range got {
			if m.Headers().Get("Replhub-Key") == "k" {
				versions = append(versions, m.Headers().Get("Replhub-Version"))
			}
		}
		if fmt.Sprint(versions) != "[1 3]" {
			t.Errorf("versions of the poison's key: %v", versions)
		}
		// It counts once the rows are gone.
		eventually(t, "the counts", func() error {
			stats, err := r.Stats(t.Context())
			if err == nil && (stats.Failed != 2 || stats.SetAside != 2 || stats.Published != 3) {
				err = fmt.Errorf("%+v", stats)
			}
			return err
		})
		var words string
		if err := p.db.QueryRowContext(t.Context(), "SELECT error FROM replhub_outbox_failed WHERE version = 2").Scan(&words); err != nil || !strings.Contains(words, "too large") {
			t.Errorf("error %q, %v", words, err)
		}

		// The limit is raised: the event comes back and leaves.
		stop()
		p.bus = startBus(t, 0)
		if _, err := p.db.ExecContext(t.Context(), "UPDATE replhub_outbox_failed SET header = '' WHERE entity_key = 'm'"); err != nil {
			t.Fatal(err)
		}
		if n, err := p.box.Requeue(t.Context(), p.db); err != nil || n != 2 {
			t.Fatalf("requeued %d, %v", n, err)
		}
		p.run(p.bus.client)
		p.emptied()
		p.bus.stored(2)
		if n, err := p.box.Requeue(t.Context(), p.db); err != nil || n != 0 {
			t.Errorf("requeued %d again, %v", n, err)
		}
	})
}

// What is neither stored nor poison stays, with all that is behind it.
func TestPrefixOfABatch(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.box = p.outbox(outbox.Config{Shards: 1})
		p.enqueue(user("a"), user("b"), user("c"))
		var calls atomic.Int32
		p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			if calls.Add(1) > 1 {
				if len(events) != 2 || events[0].Key != "b" {
					t.Errorf("again: %d events from %s", len(events), events[0].Key)
				}
				return p.bus.client.PublishBatch(ctx, events)
			}
			acks, err := p.bus.client.PublishBatch(ctx, events[:1])
			return acks, errors.Join(err, errors.New("then the line broke"))
		}))
		p.emptied()
		assertOrder(t, p.bus.stored(3), map[string]int{"a": 1, "b": 1, "c": 1})
	})
}

// A relay that was paused beyond its lease finds its shard taken. What it then
// deletes is gone already, and no newer row has that id.
func TestLeaseIsTakenOver(t *testing.T) {
	p := newPlace(t, sqlite, outbox.Config{Shards: 1})
	p.enqueue(user("k"))
	paused, goOn := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	p.run(publisherFunc(func(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
		if calls.Add(1) > 1 {
			return p.bus.client.PublishBatch(ctx, events)
		}
		close(paused)
		<-goOn
		return p.bus.client.PublishBatch(context.WithoutCancel(ctx), events)
	}), func(cfg *outbox.RelayConfig) { cfg.Lease = 50 * time.Millisecond })
	<-paused
	_, stop := p.run(p.bus.client)
	p.emptied()
	stop()
	p.enqueue(user("k"))
	close(goOn)
	p.emptied()
	assertOrder(t, p.bus.stored(2), map[string]int{"k": 2})
}

// A relay with one connection, shared with the service, does not wait for itself.
func TestOneConnection(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.db.SetMaxOpenConns(1)
		p.run(p.bus.client)
		for i := range 20 {
			p.enqueue(user(strconv.Itoa(i)))
		}
		p.emptied()
		p.bus.stored(20)
	})
}
