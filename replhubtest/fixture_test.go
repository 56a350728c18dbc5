package replhubtest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/replhubtest"
)

// attempt is a test within a test, whose failure is what is looked at.
type attempt struct {
	replhubtest.T

	mu   sync.Mutex // guards said
	said []string
}

func (a *attempt) Errorf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = append(a.said, fmt.Sprintf(format, args...))
}

func (a *attempt) Fatalf(format string, args ...any) {
	a.Errorf(format, args...)
	runtime.Goexit()
}

// failure is what f said as it failed; empty when it did not.
func failure(t *testing.T, f func(t replhubtest.T)) string {
	t.Helper()
	a := &attempt{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(a)
	}()
	<-done
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.said, "\n")
}

// replica is a subscriber's database.
type replica struct {
	db    *sql.DB
	in    *inbox.Inbox
	table *inbox.Table
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+t.TempDir()+"/replica.db?_pragma=busy_timeout(5000)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)"); err != nil {
		t.Fatal(err)
	}
	r := &replica{db: db}
	if r.in, err = inbox.New(inbox.Config{Dialect: database.SQLite}); err != nil {
		t.Fatal(err)
	}
	if err := r.in.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	r.table, err = r.in.NewTable(inbox.TableConfig{Table: "people", Columns: []inbox.Column{{Name: "name"}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// guarded applies a delivery with the inbox.
func (r *replica) guarded(ctx context.Context, d *replhub.Delivery) error {
	_, err := r.in.Replicate(ctx, r.db, d, r.table)
	return err
}

// naive applies whatever comes.
func (r *replica) naive(ctx context.Context, d *replhub.Delivery) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := r.table.Apply(ctx, tx, d); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *replica) rows() replhubtest.Rows[map[string]any] {
	return replhubtest.SQL(r.db, "SELECT id, name FROM people")
}

// person is a row of the source.
type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// source is the owner's table.
type source struct {
	random *rand.Rand
	rows   map[string]person
}

func newSource(seed uint64) *source {
	return &source{random: rand.New(rand.NewPCG(seed, 0)), rows: make(map[string]person)}
}

// changes makes n changes to a few keys, deletes among them.
func (s *source) changes(n int) []replhub.Event {
	var events []replhub.Event
	for range n {
		id := strconv.Itoa(s.random.IntN(20))
		if _, there := s.rows[id]; there && s.random.IntN(4) == 0 {
			delete(s.rows, id)
			events = append(events, replhub.Event{Entity: "user", Op: replhub.Delete, Key: id})
			continue
		}
		row := person{ID: id, Name: "name " + strconv.Itoa(s.random.IntN(1000))}
		s.rows[id] = row
		data, err := json.Marshal(row)
		if err != nil {
			panic(err) // two strings have a JSON form
		}
		events = append(events, replhub.Event{Entity: "user", Op: replhub.Update, Key: id, Data: data})
	}
	return events
}

func (s *source) read(context.Context) (map[string]person, error) { return s.rows, nil }

// users registers interest in the entity "user".
func users(order replhub.Order) replhub.SubscriberConfig {
	queue := replhub.Queue{Order: order, AckWait: 1e9}
	if order == replhub.OrderKey {
		queue.Partitions = 4
	}
	return replhub.SubscriberConfig{Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: queue}}
}
