package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// slowHandler is how long the slow handler works: longer than the acknowledgement may take.
func slowHandler() (works, ackWait time.Duration) {
	if lengthy {
		return 10 * time.Second, 3 * time.Second
	}
	return 1500 * time.Millisecond, time.Second
}

// TestServerKilledDuringASlowHandler kills the nats-server while a handler is at work, which
// takes longer than the queue's ack_wait, and starts it again: the handler ends once, every
// effect is made once, and the changes of a key come in order.
func TestServerKilledDuringASlowHandler(t *testing.T) {
	works, ackWait := slowHandler()
	w := harness.New(t, harness.Options{Binary: binary, Seed: 36})
	hub := w.StartHub("h1")
	w.RegisterQueue("slow", &contract.Queue{Order: "key", Partitions: 2, AckWait: contract.Duration(ackWait)}, want("user"))
	s := openSlow(t, works)
	for _, name := range []string{"one", "two"} {
		s.instance(w, name)
	}
	rounds := times(1, 5)
	for range rounds {
		begun := s.slowNext()
		writers := w.Write(harness.Load{Entities: []string{"user"}, Every: time.Millisecond}, 0)
		select {
		case <-begun:
		case <-time.After(settleWithin):
			t.Fatal("no handler has begun")
		}
		w.NATS.Kill()
		w.Let(works / 3)
		w.NATS.Start()
		w.AwaitAcked(50, settleWithin)
		writers.Stop()
		hub.AwaitReady() // it may still be without a connection
		caughtUp(w, "slow")
		due := copiesOf(w.Lane("slow"))
		w.Eventually("all effects", settleWithin, func() error {
			if n := s.effects(); n != due {
				return fmt.Errorf("%d of %d", n, due)
			}
			return nil
		})
	}
	s.judge()
	t.Logf("ROW slow handler: %d events, %d effects, %d handlers begun, %d kills, handler of %s, ack_wait %s", copiesOf(w.Lane("slow")), s.effects(), s.begun, rounds, works, ackWait)
	w.Finish("server killed during a slow handler", rounds, settleWithin)
}

// slow is a service whose handlers write into one database.
type slow struct {
	t     *testing.T
	db    *sql.DB
	inbox *inbox.Inbox
	works time.Duration

	mu    sync.Mutex    // guards the rest
	next  chan struct{} // closed when the next handler, which is slow, begins
	begun int
}

func openSlow(t *testing.T, works time.Duration) *slow {
	t.Helper()
	db, err := sql.Open("sqlite", sqltest.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	in, err := inbox.New(inbox.Config{Dialect: database.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	// No unique index: what is made twice is to be seen.
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT, key TEXT, seq INTEGER)"); err != nil {
		t.Fatal(err)
	}
	return &slow{t: t, db: db, inbox: in, works: works}
}

// slowNext makes the next handler slow, and returns what is closed when it begins.
func (s *slow) slowNext() (begun <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = make(chan struct{})
	return s.next
}

// begin counts a handler, and reports whether it is the slow one.
func (s *slow) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	if s.next == nil {
		return false
	}
	close(s.next)
	s.next = nil
	return true
}

func (s *slow) instance(w *harness.World, name string) {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	client, err := replhub.Connect(s.t.Context(), replhub.Config{URL: w.NATS.URL(), Service: "slow", WaitForHub: true, Logger: log})
	if err != nil {
		s.t.Fatal(err)
	}
	sub, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{Instance: name}, replhub.HandlerFunc(s.handle))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sub.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Errorf("instance %s: %v", name, err)
		}
		client.Close()
	})
}

func (s *slow) handle(ctx context.Context, d *replhub.Delivery) error {
	if s.begin() {
		select {
		case <-time.After(s.works):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, err := s.inbox.Do(ctx, s.db, d, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO effects (event, key, seq) VALUES (?, ?, ?)", d.ID, d.Key, d.Position.Seq)
		return err
	})
	return err
}

func (s *slow) effects() (n int) {
	s.t.Helper()
	if err := s.db.QueryRowContext(s.t.Context(), "SELECT count(*) FROM effects").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// judge finds effects that were made twice, and changes of a key out of order.
func (s *slow) judge() {
	s.t.Helper()
	for what, query := range map[string]string{
		"made twice":   "SELECT count(*) FROM (SELECT event FROM effects GROUP BY event HAVING count(*) > 1)",
		"out of order": "SELECT count(*) FROM effects a JOIN effects b ON a.key = b.key AND a.id < b.id AND a.seq > b.seq",
	} {
		var n int
		if err := s.db.QueryRowContext(s.t.Context(), query).Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		if n > 0 {
			s.t.Errorf("%d effects %s", n, what)
		}
	}
}
