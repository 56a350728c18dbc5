package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/replhubtest"
)

// people is an owner's table. Its changes are published some time after they are
// committed, as those of an outbox are.
type people struct {
	mu   sync.Mutex // guards the rest
	rows map[string]int
	last int
	rng  *rand.Rand
}

func personKey(n int) string { return fmt.Sprintf("u%05d", n) }

func newPeople(n int) *people {
	p := &people{rows: map[string]int{}, rng: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))}
	for i := range n {
		p.rows[personKey(i)] = 0
	}
	return p
}

func personData(key string, n int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":"name %d"}`, key, n)
}

func (p *people) snapshot(_ context.Context, after string, yield func(replhub.Event) error) error {
	p.mu.Lock()
	rows := maps.Clone(p.rows)
	p.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if key > after {
			if err := yield(replhub.Event{Key: key, Data: personData(key, rows[key])}); err != nil {
				return err
			}
		}
	}
	return nil
}

// change commits a change of a row from the first key on, and returns its event.
func (p *people) change(first, keys int) replhub.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := personKey(first + p.rng.IntN(keys))
	p.last++
	if _, exists := p.rows[key]; exists && p.rng.IntN(4) == 0 {
		delete(p.rows, key)
		return replhub.Event{Entity: "user", Op: replhub.Delete, Key: key}
	}
	p.rows[key] = p.last
	return replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: personData(key, p.last)}
}

func (p *people) set(key string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows[key] = n
}

// writes changes rows all the time, and publishes each change a moment later. On a slow
// machine it makes fewer changes, so that none waits long to be published.
func (p *people) writes(t *testing.T, client *replhub.Client, first, keys int, every, late time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	events := make(chan replhub.Event, 16)
	running.Go(func() {
		defer close(events)
		for tick := time.NewTicker(every); ctx.Err() == nil; {
			select {
			case <-tick.C:
				events <- p.change(first, keys)
			case <-ctx.Done():
				tick.Stop()
			}
		}
	})
	running.Go(func() {
		for ev := range events {
			select {
			case <-time.After(late):
			case <-ctx.Done():
			}
			var err error
			for next := true; next && err == nil; {
				_, err = client.Publish(context.WithoutCancel(ctx), ev)
				select {
				case ev, next = <-events: // those that are waiting were committed before
				default:
					next = false
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// verifiedReplica is a replica of people on a hub.
type verifiedReplica struct {
	*replica
	hub     *replhubtest.Hub
	people  *people
	owner   *replhub.Client
	client  *replhub.Client
	backlog func() // ends the instance
}

func replicaOfPeople(t *testing.T, dialect database.Dialect, rows int, interest replhub.Interest) *verifiedReplica {
	t.Helper()
	v := &verifiedReplica{replica: newReplica(t, inbox.Config{Dialect: dialect}), hub: replhubtest.Start(t), people: newPeople(rows)}
	v.owner = v.hub.Client(t, "accounts")
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := v.owner.ServeSnapshot(ctx, "user", v.people.snapshot); err != nil {
			t.Error(err)
		}
	})
	v.client = v.hub.Client(t, "sharing", func(c *replhub.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	interest.Entity, interest.Start = "user", replhub.StartSnapshot()
	sub := replhub.SubscriberConfig{Registration: replhub.Registration{Interests: []replhub.Interest{interest}}, MaxBatch: 100}
	s, err := replhub.NewBatchSubscriber(v.client, sub, v.users.Handler(v.DB))
	if err != nil {
		t.Fatal(err)
	}
	working, end := context.WithCancel(ctx)
	v.backlog = end
	running.Go(func() {
		if err := s.Run(working); err != nil {
			t.Error(err)
		}
	})
	<-s.Ready()
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return v
}

func (v *verifiedReplica) verify(t *testing.T, change ...func(*inbox.VerifyConfig)) *inbox.Verified {
	t.Helper()
	cfg := inbox.VerifyConfig{Client: v.client, Entity: "user", Settle: time.Second, Wait: time.Minute}
	for _, c := range change {
		c(&cfg)
	}
	got, err := v.users.Verify(t.Context(), v.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// filled waits until the replica has all rows.
func (v *verifiedReplica) filled(t *testing.T, rows int) {
	t.Helper()
	replhubtest.Await(t, "the rows of the owner", func() error {
		if n := v.count(t, "SELECT count(*) FROM users"); n != rows {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	}, replhubtest.Within(20*time.Second))
}

func (v *verifiedReplica) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := v.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// damage takes five rows away, makes three stale and four other ones, and adds two.
func (v *verifiedReplica) damage(t *testing.T) (kinds map[string]string) {
	t.Helper()
	kinds = map[string]string{}
	for n := range 5 {
		v.exec(t, fmt.Sprintf("DELETE FROM users WHERE id = '%s'", personKey(n)))
		kinds[personKey(n)] = inbox.Missing
	}
	for n := 10; n < 13; n++ { // a change that the replica never got
		v.people.set(personKey(n), 7)
		kinds[personKey(n)] = inbox.Different
	}
	for n := 20; n < 24; n++ {
		v.exec(t, fmt.Sprintf("UPDATE users SET name = 'by hand' WHERE id = '%s'", personKey(n)))
		kinds[personKey(n)] = inbox.Different
	}
	for _, key := range []string{"a", "z"} {
		v.exec(t, fmt.Sprintf("INSERT INTO users (id, name) VALUES ('%s', 'extra')", key))
		kinds[key] = inbox.Extra
	}
	return kinds
}

// Exactly the rows that are wrong are found, while others change all the time.
func TestVerifyFindsWhatDiffers(t *testing.T) {
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		v := replicaOfPeople(t, dialect, 1000, replhub.Interest{})
		v.filled(t, 1000)
		stop := v.people.writes(t, v.owner, 100, 900, 2*time.Millisecond, 20*time.Millisecond)
		defer stop()
		if got := v.verify(t); !got.Equal || got.Rows == 0 {
			t.Errorf("equal rows differ: %+v", got)
		}
		want := v.damage(t)
		got := v.verify(t)
		kinds := map[string]string{}
		for _, d := range got.Differences {
			kinds[d.Key] = d.Kind
			if d.Kind == inbox.Different && (len(d.Columns) != 1 || d.Columns[0].Name != "name" || *d.Columns[0].Owner == *d.Columns[0].Replica) {
				t.Errorf("columns of %s: %+v", d.Key, d.Columns)
			}
		}
		if !maps.Equal(kinds, want) || got.Missing != 5 || got.Extra != 2 || got.Different != 7 || got.Equal {
			t.Errorf("found %+v\nwant %v", got, want)
		}
	})
}

// The rows that differ are sent again, and deleted where the owner has none, while the
// owner changes them too.
func TestRepairMakesTheReplicaEqual(t *testing.T) {
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		v := replicaOfPeople(t, dialect, 300, replhub.Interest{})
		v.filled(t, 300)
		v.damage(t)
		// The last event deletes a row which is then written by hand: the delete of the
		// backfill has the position of that event.
		if _, err := v.owner.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Delete, Key: "b"}); err != nil {
			t.Fatal(err)
		}
		v.hub.AwaitDrained(t, "sharing")
		v.exec(t, "INSERT INTO users (id, name) VALUES ('b', 'extra')")
		found := v.verify(t)
		if len(found.Keys) != 15 {
			t.Fatalf("found %+v", found)
		}
		cfg := inbox.VerifyConfig{Client: v.client, Entity: "user", Settle: 50 * time.Millisecond}
		after, err := v.users.Repair(t.Context(), v.DB, cfg, found.Keys)
		if err != nil || !after.Equal {
			t.Errorf("after the repair %+v, %v", after, err)
		}
		if again := v.verify(t); !again.Equal || again.Rows != 300 {
			t.Errorf("afterwards %+v", again)
		}
	})
}

// A row that the owner makes while the repair deletes it stays.
func TestRepairBesideTheOwnersChanges(t *testing.T) {
	v := replicaOfPeople(t, database.Postgres, 50, replhub.Interest{})
	v.filled(t, 50)
	// Keys of which the owner has some, and deletes and makes them all the time.
	stop := v.people.writes(t, v.owner, 40, 40, time.Millisecond, 5*time.Millisecond)
	defer stop()
	var keys []string
	for n := 40; n < 80; n++ {
		keys = append(keys, personKey(n))
	}
	for until := time.Now().Add(700 * time.Millisecond); time.Now().Before(until); {
		_, err := v.client.BackfillKeys(t.Context(), "user", keys) // again and again: one after the other
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	v.hub.AwaitDrained(t, "sharing")
	if got := v.verify(t); !got.Equal {
		t.Errorf("found %+v", got)
	}
}

// A row that the service's filter leaves out does not belong to the replica, though the
// owner has it.
func TestVerifyThroughAFilter(t *testing.T) {
	v := replicaOfPeople(t, database.SQLite, 200, replhub.Interest{Filter: "key < 'u00100'", Fields: []string{"id", "name"}})
	v.filled(t, 100)
	v.exec(t, "INSERT INTO users (id, name) VALUES ('u00150', 'name 0')")
	v.exec(t, "DELETE FROM users WHERE id = 'u00007'")
	got := v.verify(t)
	if !slices.Equal(got.Keys, []string{"u00007", "u00150"}) || got.Extra != 1 || got.Missing != 1 {
		t.Errorf("found %+v", got)
	}
	cfg := inbox.VerifyConfig{Client: v.client, Entity: "user", Settle: 50 * time.Millisecond}
	if after, err := v.users.Repair(t.Context(), v.DB, cfg, got.Keys); err != nil || !after.Equal {
		t.Errorf("after the repair %+v, %v", after, err)
	}
	if got := v.verify(t); !got.Equal || got.Rows != 100 {
		t.Errorf("afterwards %+v", got)
	}
}

// A replica that does not catch up cannot be compared, and is not called different.
func TestVerifyOfAReplicaThatStands(t *testing.T) {
	v := replicaOfPeople(t, database.SQLite, 20, replhub.Interest{})
	v.filled(t, 20)
	v.backlog()
	stop := v.people.writes(t, v.owner, 0, 20, time.Millisecond, time.Millisecond)
	replhubtest.Await(t, "changes that nobody applies", func() error {
		status, err := v.client.Describe(t.Context())
		if err == nil && status.Backlog == 0 {
			err = errors.New("no backlog")
		}
		return err
	})
	stop()
	_, err := v.users.Verify(t.Context(), v.DB, inbox.VerifyConfig{Client: v.client, Entity: "user", Settle: time.Millisecond, Wait: 300 * time.Millisecond})
	if !errors.Is(err, inbox.ErrNotCaughtUp) {
		t.Errorf("got %v", err)
	}
}
