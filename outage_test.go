package replhub_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// quick is a subscription that has used up all attempts of an event within some
// twenty milliseconds.
func quick(queue replhub.Queue) replhub.SubscriberConfig {
	return replhub.SubscriberConfig{
		Registration: users(queue), Instance: "one", Workers: 4, MaxInFlight: 40,
		MaxAttempts: 3, MinBackoff: 5 * time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}
}

// ledger is a table on a PostgreSQL that counts how often each event was applied.
type ledger struct {
	t  *testing.T
	db *sql.DB
}

func newLedger(t *testing.T, server *sqltest.Server) *ledger {
	t.Helper()
	db, err := sql.Open("pgx", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(4)
	if _, err := db.ExecContext(t.Context(), "DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (n int PRIMARY KEY, times int)"); err != nil {
		t.Fatal(err)
	}
	return &ledger{t, db}
}

func (l *ledger) apply(ctx context.Context, d *replhub.Delivery) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, "INSERT INTO ledger VALUES ($1::text::int, 1) ON CONFLICT (n) DO UPDATE SET times = ledger.times + 1", string(d.Data))
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	return tx.Commit()
}

func (l *ledger) applied() int {
	l.t.Helper()
	var n int
	if err := l.db.QueryRowContext(l.t.Context(), "SELECT count(*) FROM ledger").Scan(&n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// A database that is away for much longer than it takes to use up all attempts
// costs no event, and the subscriber goes on by itself soon after it is back.
func TestOutageIsNoPoison(t *testing.T) {
	server := sqltest.OwnPostgres(t)
	holding := quick(orders["key"])
	holding.HoldKey = true
	for name, sub := range map[string]replhub.SubscriberConfig{"none": quick(orders["none"]), "key": quick(orders["key"]), "key, held": holding} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			book := newBook()
			ledger := newLedger(t, server)
			var running, most atomic.Int32
			var i *instance
			var dead atomic.Int32
			sub.OnDead = func(*replhub.Delivery, error) { dead.Add(1) }
			started := make(chan struct{})
			i = l.instance("sharing", sub, func(ctx context.Context, d *replhub.Delivery) error {
				<-started
				defer running.Add(-1)
				if n := running.Add(1); i.sub.State().Unavailable {
					most.Store(max(most.Load(), n))
				}
				if err := ledger.apply(ctx, d); err != nil {
					return err
				}
				book.begin("", d)()
				return nil
			})
			close(started)
			l.feed(0, 40, keyed(20))
			l.eventually("those before", func() error { return count("applied", ledger.applied(), 40) })

			server.Crash()
			l.feed(40, 340, keyed(20))
			l.eventually("an outage of many attempts", func() error {
				if n := dead.Load(); n > 0 {
					server.Start() // for the others
					t.Fatalf("%d dead letters", n)
				}
				if state := i.sub.State(); !state.Unavailable || state.Attempts < 30 || state.Err == nil {
					return fmt.Errorf("%+v", state)
				}
				return nil
			})
			l.eventually("the hub's word of it", func() error {
				var status contract.LaneStatus
				l.ask("replhub.describe.sharing", &status)
				if len(status.Unavailable) != 1 || status.Unavailable[0].Instance != "one" || status.Unavailable[0].Error == "" {
					return fmt.Errorf("%+v", status.Unavailable)
				}
				return nil
			})
			// Each source had asked for 40 at most.
			if n := i.sub.InFlight(); n > 4*40+4 {
				t.Errorf("%d events are in flight: the subscriber goes on taking", n)
			}
			server.Start()
			back := time.Now()
			l.eventually("all", func() error { return count("applied", ledger.applied(), 340) })
			if took := time.Since(back); took > 5*time.Second {
				t.Errorf("it took %s to go on", took)
			}
			if n := most.Load(); n > 1 {
				t.Errorf("%d events were tried at a time while the database was away", n)
			}
			l.eventually("the end", func() error {
				var status contract.LaneStatus
				l.ask("replhub.describe.sharing", &status)
				if state := i.sub.State(); state != (replhub.SubscriberState{}) || len(status.Unavailable) > 0 {
					return fmt.Errorf("%+v, %+v", state, status.Unavailable)
				}
				return nil
			})
			book.check(t)
			deadLetters(t, l, 0)
			var twice int
			if err := ledger.db.QueryRowContext(t.Context(), "SELECT count(*) FROM ledger WHERE times > 1").Scan(&twice); err != nil || twice > 0 {
				t.Errorf("%d applied twice, %v", twice, err)
			}
		})
	}
}

// One event that always answers so is at fault by itself: others go on, and it
// becomes a dead letter. It makes no difference whether it is alone at first.
func TestEventThatIsAlwaysUnavailableStopsNobody(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			book := newBook()
			i := l.instance("sharing", quick(queue), func(_ context.Context, d *replhub.Delivery) error {
				if n, _ := strconv.Atoi(string(d.Data)); n < 3 {
					return replhub.Unavailable(errors.New("its own"))
				}
				book.begin("", d)()
				return nil
			})
			// Behind it are others of its key, more than are taken at a time.
			l.feed(0, 60, keyed(1))
			l.eventually("an outage", func() error {
				if !i.sub.State().Unavailable {
					return errors.New("none")
				}
				return nil
			})
			// What shows that there is none are events of other keys.
			fed := 60
			l.eventually("the others, and the dead letters", func() error {
				l.feed(fed, fed+7, keyed(7))
				fed += 7
				var status contract.LaneStatus
				l.ask("replhub.describe.sharing", &status)
				return count("dead letters", int(status.DeadLetters), 3)
			})
			l.eventually("all others", func() error { total, _ := book.counts(); return count("handled", total, fed-3) })
			book.check(t)
			deadLetters(t, l, 3)
		})
	}
}

// An instance that has lost its database keeps its own partitions waiting, and
// nothing else.
func TestOutageOfOneInstance(t *testing.T) {
	l := newLab(t)
	l.startHub()
	book := newBook()
	var lost atomic.Bool
	instances := make([]*instance, 2)
	for n, who := range []string{"one", "two"} {
		sub := quick(orders["key"])
		sub.Instance = who
		instances[n] = l.instance("sharing", sub, func(_ context.Context, d *replhub.Delivery) error {
			if who == "two" && lost.Load() {
				return errors.New("dial tcp 10.0.0.5:5432: connect: connection refused")
			}
			defer book.begin(who, d)()
			return nil
		})
	}
	fed := 0
	l.eventually("both at work", func() error {
		l.feed(fed, fed+20, keyed(20))
		fed += 20
		book.mu.Lock()
		defer book.mu.Unlock()
		if book.byWhom["one"] == 0 || book.byWhom["two"] == 0 {
			return fmt.Errorf("%v", book.byWhom)
		}
		return nil
	})
	l.eventually("those before", func() error { total, _ := book.counts(); return count("handled", total, fed) })
	lost.Store(true)
	l.feed(fed, fed+200, keyed(20))
	l.eventually("an outage of many attempts", func() error {
		if state := instances[1].sub.State(); state.Attempts < 20 {
			return fmt.Errorf("%+v", state)
		}
		return nil
	})
	if instances[0].sub.State().Unavailable {
		t.Error("the other one waits too")
	}
	lost.Store(false)
	l.eventually("all", func() error { total, _ := book.counts(); return count("handled", total, fed+200) })
	book.check(t)
	deadLetters(t, l, 0)
}

// A subscriber that waits ends as soon as it is asked to, and gives back what it has.
func TestDrainDuringAnOutage(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			i := l.instance("sharing", quick(queue), func(context.Context, *replhub.Delivery) error { return sql.ErrConnDone })
			l.feed(0, 60, keyed(20))
			l.eventually("an outage", func() error {
				if !i.sub.State().Unavailable {
					return errors.New("none")
				}
				return nil
			})
			began := time.Now()
			if err := i.stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
			if i.sub.State().Unavailable {
				t.Error("it waits beyond its end")
			}
			book := newBook()
			sub := quick(queue)
			sub.Instance = "two"
			l.instance("sharing", sub, func(_ context.Context, d *replhub.Delivery) error {
				defer book.begin("", d)()
				return nil
			})
			l.eventually("all", func() error { total, _ := book.counts(); return count("handled", total, 60) })
			if queue.Order == replhub.OrderKey {
				book.check(t)
			}
			deadLetters(t, l, 0)
		})
	}
}

// A conflict of transactions uses up no attempt, for as long as that is believable.
func TestConflictsAreTriedAgain(t *testing.T) {
	l := newLab(t)
	l.startHub()
	var first, second atomic.Int32
	sub := quick(orders["key"])
	sub.MinBackoff, sub.MaxBackoff = time.Millisecond, time.Millisecond
	i := l.instance("sharing", sub, func(_ context.Context, d *replhub.Delivery) error {
		deadlock := errors.New("ERROR: deadlock detected (SQLSTATE 40P01)")
		if d.Key == "k0" && first.Add(1) <= 50 {
			return deadlock
		}
		if d.Key == "k1" {
			second.Add(1)
			return deadlock
		}
		return nil
	})
	l.feed(0, 2, keyed(2))
	l.eventually("the dead letter", func() error {
		var status contract.LaneStatus
		l.ask("replhub.describe.sharing", &status)
		return errors.Join(count("dead letters", int(status.DeadLetters), 1), count("in the backlog", int(status.Backlog), 0))
	})
	if first.Load() != 51 || second.Load() != 103 {
		t.Errorf("%d and %d attempts", first.Load(), second.Load())
	}
	if i.sub.State().Unavailable {
		t.Error("a conflict stops the subscriber")
	}
}
