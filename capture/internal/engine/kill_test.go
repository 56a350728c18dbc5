package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

// audited is a table whose history a trigger writes down: what the events must be. Each
// line of it is a row of an outbox, too.
const audited = `
CREATE TABLE items (id int PRIMARY KEY, n int, pad text);
CREATE SEQUENCE copied START 1000 INCREMENT 100;
CREATE TABLE other_history (no bigserial PRIMARY KEY, line text);
CREATE TABLE box (id bigserial PRIMARY KEY, line text);
CREATE FUNCTION enqueue() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO box (line) VALUES (NEW.line);
	RETURN NULL;
END $$;
CREATE TRIGGER enqueue AFTER INSERT ON other_history FOR EACH ROW EXECUTE FUNCTION enqueue();
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF TG_OP = 'DELETE' THEN
		INSERT INTO other_history (line) VALUES (format('items.delete %s', OLD.id));
	ELSIF TG_OP = 'INSERT' THEN
		INSERT INTO other_history (line) VALUES (format('items.create %s %s', NEW.id, NEW.n));
	ELSIF OLD.id <> NEW.id THEN
		INSERT INTO other_history (line) VALUES (format('items.delete %s', OLD.id)), (format('items.create %s %s', NEW.id, NEW.n));
	ELSE
		INSERT INTO other_history (line) VALUES (format('items.update %s %s', NEW.id, NEW.n));
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION note();`

// Each change is stored once and in commit order, whatever is killed: two captures of one
// slot, nats-server, PostgreSQL; and a capture that is frozen and wakes later. So is each
// row of an outbox, and the row is gone in the end.
func TestKills(t *testing.T) {
	hub := cluster.StartNATS(t)
	killing(t, killRounds, hub.URL(), 1, func(int) *cluster.NATS { return hub })
}

func killing(t *testing.T, rounds int, url string, replicas int, hub func(int) *cluster.NATS) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	server := sqltest.OwnPostgres(t)
	b := newBenchOn(t, server.DSN(), url, replicas, audited)
	v := newVictims(t, 2, server.DSN(), url, b.slot)
	w := writeAway(t, server.DSN(), seed)

	for range rounds {
		pauseFor(t, time.Duration(20+random.IntN(180))*time.Millisecond)
		switch what := random.IntN(10); {
		case what < 5:
			v.kill(random.IntN(2))
		case what < 7:
			victim := hub(random.IntN(3))
			victim.Kill()
			victim.Start()
		case what < 8:
			server.Crash()
			server.Start()
		default:
			v.freeze(random.IntN(2), time.Duration(random.IntN(1500))*time.Millisecond)
		}
	}
	w.stop()
	if n := w.written.Load(); n == 0 {
		t.Fatal("nothing was written")
	}
	b.db = b.connect()
	b.judge()
}

// judge compares ingest with the history of the table.
func (b *bench) judge() {
	b.t.Helper()
	var want []string
	rows, err := b.db.Query(b.t.Context(), "SELECT line FROM other_history ORDER BY no")
	if err != nil {
		b.t.Fatal(err)
	}
	want, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	// Many captures after another were killed: the last one may have much to do.
	got, boxed := b.lines()
	for len(got) < len(want) || len(boxed) < len(want) {
		before := len(got) + len(boxed)
		b.eventually("more changes are stored", func() error {
			if got, boxed = b.lines(); len(got)+len(boxed) == before {
				return fmt.Errorf("%d and %d of %d", len(got), len(boxed), len(want))
			}
			return nil
		})
	}
	b.same(want, got)
	b.same(want, boxed)
	b.eventually("the outbox is empty", func() error {
		var rows int
		err := b.db.QueryRow(b.t.Context(), "SELECT count(*) FROM box").Scan(&rows)
		if rows > 0 {
			err = fmt.Errorf("%d rows", rows)
		}
		return err
	})
	b.t.Logf("%d changes, each once and in order", len(want))
}

// same compares the history with what is stored.
func (b *bench) same(want, got []string) {
	b.t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			b.t.Fatalf("change %d of %d (stored %d):\nwant %v\ngot  %v", i, len(want), len(got),
				want[i:min(i+5, len(want))], got[min(i, len(got)):min(i+5, len(got))])
		}
	}
}

// lines are the events of ingest in the words of the history, and those of the outbox.
func (b *bench) lines() (lines, boxed []string) {
	b.t.Helper()
	for _, e := range b.events() {
		if e.subject == "db.boxed.update" {
			boxed = append(boxed, e.data)
			continue
		}
		line := strings.TrimPrefix(e.subject, "db.") + " " + e.key
		if _, n, found := strings.Cut(e.data, `"n":"`); found {
			n, _, _ = strings.Cut(n, `"`)
			line += " " + n
		}
		lines = append(lines, line)
	}
	return lines, boxed
}

// scribbler changes the table without a pause.
type scribbler struct {
	t       *testing.T
	written atomic.Int64
	cancel  context.CancelFunc
	ended   chan struct{}
}

func writeAway(t *testing.T, dsn string, seed uint64) *scribbler {
	ctx, cancel := context.WithCancel(context.Background())
	w := &scribbler{t: t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		random := rand.New(rand.NewPCG(seed, 1))
		for ctx.Err() == nil {
			if err := w.write(ctx, dsn, random); err != nil {
				pauseFor(t, 20*time.Millisecond) // the server is away
			}
		}
	}()
	t.Cleanup(w.stop)
	return w
}

func (w *scribbler) stop() {
	w.cancel()
	<-w.ended
}

func (w *scribbler) write(ctx context.Context, dsn string, random *rand.Rand) error {
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	for n := 1; ; n++ {
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			for range 1 + random.IntN(8)*random.IntN(4) {
				if err := scribble(ctx, tx, random, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.written.Add(1)
		pauseFor(w.t, time.Duration(random.IntN(3))*time.Millisecond)
	}
}

// scribble makes one change, of a few rows.
func scribble(ctx context.Context, tx pgx.Tx, random *rand.Rand, n int) error {
	id := random.IntN(40)
	statement, args := "INSERT INTO items VALUES ($1, $2, repeat('x', 100)) ON CONFLICT (id) DO UPDATE SET n = excluded.n", []any{id, n}
	switch random.IntN(8) {
	case 0:
		statement, args = "DELETE FROM items WHERE id = $1", []any{id}
	case 1:
		statement, args = "UPDATE items SET id = $1 WHERE id = $2 AND NOT EXISTS (SELECT FROM items WHERE id = $1)", []any{id, random.IntN(40)}
	case 2:
		statement, args = "UPDATE items SET n = $1 WHERE id % 5 = $2 AND id < 1000", []any{n, id % 5}
	case 3:
		return copyRows(ctx, tx, 1+random.IntN(99), n)
	}
	_, err := tx.Exec(ctx, statement, args...)
	return err
}

// copyRows writes rows by COPY: several at one LSN.
func copyRows(ctx context.Context, tx pgx.Tx, rows, n int) error {
	var first int
	if err := tx.QueryRow(ctx, "SELECT nextval('copied')").Scan(&first); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "n"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		return []any{first + i, n}, nil
	}))
	return err
}

func pauseFor(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
