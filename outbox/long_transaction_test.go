package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// While a transaction is held open, rows that were published cannot be vacuumed.
// The relay passes them over, and misses nothing that the transaction wrote.
func TestTransactionThatIsHeldOpen(t *testing.T) {
	for name, hold := range map[string]func(p *place, tx *sql.Tx) error{
		"reads": func(p *place, tx *sql.Tx) error {
			return tx.QueryRowContext(p.Context(), "SELECT COUNT(*) FROM replhub_outbox").Scan(new(int))
		},
		"writes": func(p *place, tx *sql.Tx) error {
			_, err := tx.ExecContext(p.Context(), "CREATE TABLE own (n integer)")
			return err
		},
		"enqueues": func(p *place, tx *sql.Tx) error { return p.box.Enqueue(p.Context(), tx, user("held")) },
		"enqueues without a key": func(p *place, tx *sql.Tx) error {
			return p.box.Enqueue(p.Context(), tx, replhub.Event{Entity: "user", Op: replhub.Read, Data: []byte("held")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, postgres, outbox.Config{Shards: 1})
			holder := p.beginWith(sql.LevelRepeatableRead)
			if err := hold(p, holder); err != nil {
				t.Fatal(err)
			}
			sent := map[string]int{}
			r, err := p.box.NewRelay(outbox.RelayConfig{DB: p.db, Publisher: publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
				for _, ev := range events {
					sent[ev.Key]++
				}
				return make([]replhub.Ack, len(events)), nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			look := func() {
				if err := outbox.Look(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			eventually(t, "scans that begin behind rows that are gone", func() error {
				p.enqueue(user("others"))
				n++
				look()
				if at := outbox.Behind(r, 0); at < 5 {
					return fmt.Errorf("they begin behind %d", at)
				}
				return nil
			})
			if name == "enqueues" {
				// Its key's next event comes behind it, however it is found.
				if err := p.box.Enqueue(t.Context(), holder, user("held")); err != nil {
					t.Fatal(err)
				}
			}
			if err := holder.Commit(); err != nil {
				t.Fatal(err)
			}
			look()
			look()
			want := map[string]int{"reads": 0, "writes": 0, "enqueues": 2, "enqueues without a key": 1}[name]
			if got := sent["held"] + sent[""]; got != want || sent["others"] != n || p.rows("") != 0 {
				t.Errorf("%d of the transaction's events, want %d; %d of %d others; %d rows", got, want, sent["others"], n, p.rows(""))
			}
		})
	}
}

// A row that a transaction has enqueued and not committed is in nobody's way: not
// even where a statement could read the whole table rather than look rows up.
func TestRowThatIsNotCommittedHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		if p.Dialect == mariadb.Dialect {
			p.dataSource += "&innodb_lock_wait_timeout=1"
			p.db = p.open()
		}
		holder := p.begin()
		if err := p.box.Enqueue(t.Context(), holder, user("held")); err != nil {
			t.Fatal(err)
		}
		const others = 40
		for i := range others {
			p.enqueue(user(fmt.Sprint(i)))
		}
		published := 0
		r, err := p.box.NewRelay(outbox.RelayConfig{DB: p.db, Publisher: publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
			published += len(events)
			return make([]replhub.Ack, len(events)), nil
		}), Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := outbox.Look(t.Context(), r); err != nil || published != others || p.rows("") != 0 {
			t.Errorf("%d of %d events published, %d rows left, %v", published, others, p.rows(""), err)
		}
	}, postgres, mariadb)
}
