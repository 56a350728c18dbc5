package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

func (b *bench) confirmed() (lsn captured.LSN) {
	b.t.Helper()
	var text string
	if err := b.db.QueryRow(b.t.Context(), "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", b.slot).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	if err := lsn.UnmarshalText([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
	return lsn
}

func (b *bench) end() (lsn captured.LSN) {
	b.t.Helper()
	var text string
	if err := b.db.QueryRow(b.t.Context(), "SELECT pg_current_wal_flush_lsn()::text").Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	if err := lsn.UnmarshalText([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
	return lsn
}

func (b *bench) awaitState(e *engine.Engine, want engine.State) {
	b.t.Helper()
	b.eventually("state "+string(want), func() error {
		if got := e.Status(); got.State != want {
			return fmt.Errorf("%s (%w)", got.State, got.Err)
		}
		return nil
	})
}

// A slot whose tables are idle does not keep the log of others: it follows their
// changes.
func TestIdleSlotAdvances(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users, "CREATE TABLE other (id int PRIMARY KEY)")
	b.run()
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`)
	b.exec("INSERT INTO other SELECT generate_series(1, 1000)")
	end := b.end()
	b.eventually("the slot is confirmed", func() error {
		if at := b.confirmed(); at < end {
			return fmt.Errorf("at %s, the log's end was %s", at, end)
		}
		return nil
	})
}

// A slot is confirmed only behind events that are stored.
func TestNothingIsConfirmedBeforeItIsStored(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	e, _ := b.run()
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`)
	b.nats.Stop()
	before := b.end()
	b.exec("INSERT INTO users VALUES (2, 'Bob', NULL)")
	b.awaitState(e, engine.Waiting)
	if at := b.confirmed(); at > before {
		t.Errorf("confirmed up to %s without ingest, beyond %s", at, before)
	}
	if got := e.Status().Problem; got != engine.NATSAway {
		t.Errorf("problem %q", got)
	}
	b.nats.Start()
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`, `users.create 2 {"id":"2","name":"Bob","note":null}`)
}

// A second process stands by, and captures when the first one has ended.
func TestStandbyTakesOver(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	first, stop := b.run()
	b.awaitState(first, engine.Capturing)
	second, _ := b.run()
	b.awaitState(second, engine.Standby)
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.awaitState(second, engine.Capturing)
	t.Logf("took over within %s", time.Since(began))
	b.exec("INSERT INTO users VALUES (2, 'Bob', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`, `users.create 2 {"id":"2","name":"Bob","note":null}`)
}

// What needs a decision is one line that says what to do.
func TestSlotsThatCannotGoOn(t *testing.T) {
	tests := []struct {
		name  string
		harm  func(b *bench)
		want  engine.Problem
		words string
	}{
		{"dropped", (*bench).dropSlot, engine.SlotMissing, "--resync"},
		{"made again", func(b *bench) {
			b.dropSlot()
			b.exec("INSERT INTO users VALUES (7, 'lost', NULL)")
			b.makeSlot()
		}, engine.SlotMoved, "--resync"},
		{"moved on", func(b *bench) {
			b.exec("INSERT INTO users VALUES (7, 'lost', NULL)")
			b.exec("SELECT pg_replication_slot_advance('" + b.slot + "', pg_current_wal_lsn())")
		}, engine.SlotMoved, "--resync"},
		{"another plugin", func(b *bench) {
			b.dropSlot()
			b.exec("SELECT pg_create_logical_replication_slot('" + b.slot + "', 'test_decoding')")
			b.t.Cleanup(b.dropSlot)
		}, engine.OtherDatabase, "--slot"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, sqltest.Postgres(t), users)
			e, stop := b.run()
			b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
			b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`)
			b.awaitState(e, engine.Capturing)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			b.eventually("the slot is free", func() error {
				var active bool
				err := b.db.QueryRow(t.Context(), "SELECT active FROM pg_replication_slots WHERE slot_name = $1", b.slot).Scan(&active)
				if active {
					err = errors.New("active")
				}
				return err
			})
			test.harm(b)
			again := engine.New(b.config())
			err := again.Run(t.Context())
			if got := engine.ProblemOf(err); got != test.want || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", got, err)
			}
			b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`)
		})
	}
}

// A table that is truncated is told, and stays told.
func TestTruncate(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	e, stop := b.run()
	b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
	b.exec("TRUNCATE users")
	b.exec("INSERT INTO users VALUES (2, 'Bob', NULL)")
	b.await(`users.create 1 {"id":"1","name":"Ada","note":null}`, `users.create 2 {"id":"2","name":"Bob","note":null}`)
	told := func(e *engine.Engine) func() error {
		return func() error {
			if got := e.Status().Truncated; len(got) != 1 || got[0] != "public.users" {
				return fmt.Errorf("%q", got)
			}
			return nil
		}
	}
	b.eventually("the truncate is told", told(e))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, _ := b.run()
	b.eventually("the truncate is told after a start", told(again))
}

// A large value that an update leaves alone is in the event all the same.
func TestUnchangedLargeValue(t *testing.T) {
	large := strings.Repeat("0123456789", 1000)
	for _, identity := range []string{"DEFAULT", "FULL"} {
		t.Run(identity, func(t *testing.T) {
			b := newBench(t, sqltest.Postgres(t), users,
				"ALTER TABLE users ALTER note SET STORAGE EXTERNAL", "ALTER TABLE users REPLICA IDENTITY "+identity)
			e, _ := b.run()
			b.exec("INSERT INTO users VALUES (1, 'Ada', $1)", large)
			b.exec("UPDATE users SET name = 'Ada L'")
			b.eventually("the update is stored", func() error {
				if n := len(b.events()); n != 2 {
					return fmt.Errorf("%d events", n)
				}
				return nil
			})
			b.exec("UPDATE users SET id = 2")
			b.await(
				`users.create 1 {"id":"1","name":"Ada","note":"`+large+`"}`,
				`users.update 1 {"id":"1","name":"Ada L","note":"`+large+`"}`,
				`users.delete 1 {"id":"1"}`,
				`users.create 2 {"id":"2","name":"Ada L","note":"`+large+`"}`,
			)
			if lookups := e.Counts().Lookups.Load(); (lookups == 0) != (identity == "FULL") {
				t.Errorf("%d lookups", lookups)
			}
		})
	}
}

// A database that went back is still told when its log has grown past what is stored: the
// changes between are others. A resync ends that.
func TestDatabaseThatWentBackAndCaughtUp(t *testing.T) {
	b := newBench(t, sqltest.Postgres(t), users)
	var system string
	var ahead captured.LSN
	var end string
	if err := b.db.QueryRow(t.Context(), "SELECT system_identifier::text, (pg_current_wal_insert_lsn() + 32000000)::text FROM pg_control_system()").Scan(&system, &end); err != nil {
		t.Fatal(err)
	}
	if err := ahead.UnmarshalText([]byte(end)); err != nil {
		t.Fatal(err)
	}
	log, err := captured.Open(t.Context(), captured.Config{JS: b.js, Entity: captured.Entity(b.slot)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write(t.Context(), captured.Record{ID: "1", System: system, Confirm: ahead}, 0); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := engine.New(b.config()).Run(ctx); engine.ProblemOf(err) != engine.WentBack {
			t.Errorf("start %d: %v", round, err)
		}
		cancel()
		for range 3 {
			b.exec("INSERT INTO users SELECT coalesce(max(id), 0) + 1, 'a' FROM users")
			b.exec("SELECT pg_switch_wal()")
		}
	}
	if err := engine.New(b.config()).Resync(t.Context(), userRows{b.dsn, func(int) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	e, _ := b.run()
	b.awaitState(e, engine.Capturing)
}

// A database that was put back, and caught up while nothing was captured, is told: other
// changes stand where the stored ones stood. The same log goes on.
func TestDatabaseThatCaughtUpAlone(t *testing.T) {
	for name, want := range map[string]engine.Problem{"another history": engine.WentBack, "the same log": engine.None} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sqltest.Postgres(t), users)
			slot := b.confirmed()
			b.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
			_, stop := b.run()
			stored := []string{`users.create 1 {"id":"1","name":"Ada","note":null}`}
			b.await(stored...)
			b.eventually("the slot is confirmed", func() error {
				if b.confirmed() <= slot {
					return errors.New("not yet")
				}
				return nil
			})
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			log, err := captured.Open(t.Context(), captured.Config{JS: b.js, Entity: captured.Entity(b.slot)})
			if err != nil {
				t.Fatal(err)
			}
			held, err := log.Read(t.Context())
			if err != nil || held.Record.Last == nil {
				t.Fatalf("%+v, %v", held.Record, err)
			}
			// The slot of a copy stands further back than the one that was confirmed since.
			b.dropSlot()
			b.makeSlot()
			b.exec("INSERT INTO users VALUES (2, 'Bob', NULL)")
			var last captured.Transaction
			next := held.Record
			if want == engine.None {
				last = b.lastTransaction()
			} else {
				last = captured.Transaction{Commit: b.end() - 8, XID: held.Record.Last.XID, Time: held.Record.Last.Time}
			}
			next.ID, next.Last, next.From = captured.NewID(), &last, 0
			next.Position = captured.Position{Commit: last.Commit, Change: last.Commit - 8}
			b.exec("INSERT INTO users VALUES (3, 'Cy', NULL)")
			next.Confirm = b.end()
			if _, err := log.Write(t.Context(), next, held.Seq); err != nil {
				t.Fatal(err)
			}
			if want == engine.None {
				b.run()
				b.await(append(stored, `users.create 3 {"id":"3","name":"Cy","note":null}`)...)
				return
			}
			for range 2 { // it stays told
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				err := engine.New(b.config()).Run(ctx)
				cancel()
				if engine.ProblemOf(err) != want || !strings.Contains(fmt.Sprint(err), "--resync") {
					t.Fatalf("%v", err)
				}
			}
			b.await(stored...)
		})
	}
}

// lastTransaction is the last one of the log that the slot would send.
func (b *bench) lastTransaction() (t captured.Transaction) {
	b.t.Helper()
	var data []byte
	err := b.db.QueryRow(b.t.Context(), "SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'captured') WHERE get_byte(data, 0) = 66 ORDER BY lsn DESC LIMIT 1", b.slot).Scan(&data)
	if err != nil || len(data) < 21 {
		b.t.Fatal(len(data), err)
	}
	return captured.Transaction{Commit: captured.LSN(binary.BigEndian.Uint64(data[1:])), Time: int64(binary.BigEndian.Uint64(data[9:])), XID: binary.BigEndian.Uint32(data[17:])}
}
