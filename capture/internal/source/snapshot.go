package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/selection"
	"github.com/replhub/replhub/internal/pause"
)

// Snapshots serves the rows of tables to snapshots and backfills.
//
// # The version of a row
//
// The version of a change is its LSN. A row that is read must have a version V that is
// lower than the LSN of each change which the row does not contain: otherwise a replica
// that has the row takes the change for an old one, and loses it. Two obvious values are
// too high: the present LSN, because a transaction that is open may have changed the row
// at a lower LSN, and even the LSN before the snapshot was taken, because a commit is in
// the log, and may have been captured and published, before snapshots see it.
//
// So the end of the log is read first (lsn), then a transaction id is assigned (xid), and
// then the snapshot is taken. A transaction with a greater id got it later, so each of
// its changes has an LSN above lsn. If all transactions up to xid have ended by the
// snapshot's own account (its xmin is greater), then whatever it does not contain is
// above lsn, and V = lsn for every row.
//
// If a transaction up to xid is still open after a moment, rows are judged one by one.
// PostgreSQL notes in a row's xmax who has updated, deleted or locked it. A row whose
// xmax is 0 when it is read was touched by no such transaction, and a later touch has an
// LSN above lsn: V = lsn. Any other row has the newest lsn of an earlier call for which
// the condition holds now, or else version 1: it then replaces nothing that was applied,
// and every later change replaces it.
//
// A version that is lower than need be does no harm: a replica may go back to a change
// that the row contains, until the newest of these changes follows.
type Snapshots struct {
	pool      *pgxpool.Pool
	selection *selection.Selection
	// version returns the version of a change at an LSN; false while that is not known.
	version func(lsn uint64) (int64, bool)
	// Patience is how long to wait for transactions that are open; 300 ms by default.
	Patience time.Duration
	// Unfit gets the table of a row that cannot be an event because of its own values, and
	// is left out; nil ignores it. It may be called concurrently.
	Unfit func(table string, err error)
	// Most is the size of the largest message, in bytes; nil is any.
	Most func() int64
	// Limit is how many rows one call reads; 1000 by default.
	Limit int

	mu      sync.Mutex // guards samples
	samples []sample   // the oldest first
}

// sample is a place in the log, and a transaction id that was assigned after it was read.
type sample struct{ lsn, xid uint64 }

// lookAgain is the time between two looks whether transactions have ended.
const lookAgain = 5 * time.Millisecond

// maxSamples bounds the samples that are kept.
const maxSamples = 256

// NewSnapshots returns Snapshots; Close closes its connections.
func NewSnapshots(ctx context.Context, config *pgx.ConnConfig, s *selection.Selection, version func(lsn uint64) (int64, bool)) (*Snapshots, error) {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("configure the connections for snapshots: %w", err)
	}
	cfg.ConnConfig = config.Copy()
	maps.Copy(cfg.ConnConfig.RuntimeParams, change.Settings())
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.MaxConns, cfg.MinConns, cfg.MaxConnIdleTime = 4, 0, time.Minute
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("configure the connections for snapshots: %w", err)
	}
	return &Snapshots{pool: pool, selection: s, version: version, Patience: 300 * time.Millisecond, Limit: 1000}, nil
}

// Close closes the connections, once the calls under way have ended.
func (s *Snapshots) Close() { s.pool.Close() }

// Func returns the SnapshotFunc of an entity.
func (s *Snapshots) Func(entity string) replhub.SnapshotFunc {
	return func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Release()
		query := func(scan *scan, behind []string) (query string, args [][]byte, err error) {
			if behind == nil {
				if behind, err = scan.literals(after); err != nil {
					return "", nil, err
				}
			}
			query, args = scan.after(behind, s.Limit)
			return query, args, nil
		}
		return s.serve(ctx, conn.Conn(), entity, choose{query: query}, yield)
	}
}

// choose selects rows of a table.
type choose struct {
	// query selects them. Where the rows of a query before were all left out, behind has the
	// literals of the last one. An empty query selects none.
	query func(s *scan, behind []string) (query string, args [][]byte, err error)
	// named says that the rows are asked for by their keys. One that is left out would look
	// as if it were deleted, so a row that is too large is an error.
	named bool
	// only leaves out the rows of other keys; nil leaves out none.
	only map[string]bool
}

// Entities returns the entities of the tables that match the selection now.
func (s *Snapshots) Entities(ctx context.Context) (map[string]bool, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Release()
	entities := map[string]bool{}
	err = eachName(ctx, conn.Conn(), func(_ uint32, schema, name string) {
		if entity, ok := s.selection.Entity(schema, name); ok {
			entities[entity] = true
		}
	})
	return entities, err
}

var errNotCapturing = errors.New("this process does not capture now, so it cannot say which version a row has")

func (s *Snapshots) serve(ctx context.Context, conn *pgx.Conn, entity string, which choose, yield func(replhub.Event) error) error {
	now, err := s.sample(ctx, conn)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(s.Patience)
	for {
		again, err := s.attempt(ctx, conn, entity, which, now, time.Now().Before(deadline), yield)
		if err != nil || !again {
			return err
		}
		if err := pause.For(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// sample reads the end of the log, and only then has a transaction id assigned.
func (s *Snapshots) sample(ctx context.Context, conn *pgx.Conn) (sample, error) {
	var now sample
	err := conn.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&now.lsn)
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_current_xact_id()::text::bigint").Scan(&now.xid)
	}
	if err != nil {
		return now, fmt.Errorf("read where the log is: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.samples = append(s.samples, now); len(s.samples) > maxSamples {
		s.samples = s.samples[1:]
	}
	return now, nil
}

// settled returns the newest sample up to whose xid all transactions have ended in a
// snapshot with that xmin.
func (s *Snapshots) settled(xmin uint64) (sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best sample
	for _, one := range s.samples {
		if one.xid < xmin && one.lsn > best.lsn {
			best = one
		}
	}
	return best, best.lsn > 0
}

// attempt reads the rows in one snapshot. With wait, it reads nothing and asks for
// another attempt while a transaction is open that it would have to judge rows for.
func (s *Snapshots) attempt(ctx context.Context, conn *pgx.Conn, entity string, which choose, now sample, wait bool, yield func(replhub.Event) error) (again bool, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(pgx.Tx) error {
		var xmin uint64
		if err := conn.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").Scan(&xmin); err != nil {
			return fmt.Errorf("take a snapshot: %w", err)
		}
		if again = wait && now.xid >= xmin; again {
			return nil
		}
		versions, err := s.versions(now, xmin)
		if err != nil {
			return err
		}
		return s.read(ctx, conn, entity, which, versions, yield)
	})
	return again, err
}

// versions returns the versions of rows in a snapshot: of those that no transaction has
// touched, and of all others.
func (s *Snapshots) versions(now sample, xmin uint64) (versions [2]int64, err error) {
	untouched, ok := s.version(now.lsn)
	if !ok {
		return versions, errNotCapturing
	}
	touched := int64(1)
	if best, found := s.settled(xmin); found {
		if touched, ok = s.version(best.lsn); !ok {
			return versions, errNotCapturing
		}
	}
	return [2]int64{touched, untouched}, nil
}

// read yields rows of an entity. A call that yields nothing ends a snapshot, so it goes on
// behind rows that are all left out.
func (s *Snapshots) read(ctx context.Context, conn *pgx.Conn, entity string, which choose, versions [2]int64, yield func(replhub.Event) error) error {
	tables := NewTables(nil, s.selection)
	t, err := s.tableOf(ctx, conn, entity)
	if err != nil {
		return err
	}
	scan, err := newScan(ctx, conn, tables, t, entity)
	if err != nil {
		return err
	}
	var behind []string
	for yielded := 0; yielded == 0; {
		query, args, err := which.query(scan, behind)
		if err != nil || query == "" {
			return err
		}
		read := 0
		if err := scan.run(ctx, conn, query, args, func(untouched bool, tuple change.Tuple) error {
			read++
			ev, err := scan.event(tuple)
			if err == nil && which.only != nil && !which.only[ev.Key] {
				behind = scan.literalsOf(tuple)
				return nil
			}
			if err == nil {
				if err = s.fits(ev); err != nil && which.named {
					return fmt.Errorf("a row that is asked for by its key: %v", err) //nolint:errorlint // it is no row to leave out
				}
			}
			if change.Unfit(err) {
				behind = scan.literalsOf(tuple)
				s.unfit(t, err)
				return nil
			}
			if err != nil {
				return err
			}
			yielded++
			ev.Version = versions[boolInt(untouched)]
			return yield(ev)
		}); err != nil || read == 0 {
			return err
		}
	}
	return nil
}

// rowHeaders is more than what a row has beside payload and key, in bytes.
const rowHeaders = 2 << 10

func (s *Snapshots) fits(ev replhub.Event) error {
	if s.Most == nil || int64(len(ev.Data)+len(ev.Key)+rowHeaders) <= s.Most() {
		return nil
	}
	return &change.UnfitError{Err: fmt.Errorf("the row has %d bytes, and with its headers more than the %d that the NATS server takes: raise its max_payload, or leave a column out with --exclude", len(ev.Data), s.Most())}
}

func (s *Snapshots) unfit(t *Table, err error) {
	if s.Unfit != nil {
		s.Unfit(t.FullName(), err)
	}
}

// tableOf returns the one table that has the rows of an entity.
func (s *Snapshots) tableOf(ctx context.Context, conn *pgx.Conn, entity string) (*Table, error) {
	candidates, err := namesOf(ctx, conn, s.selection, entity)
	if err != nil {
		return nil, err
	}
	tables, err := readTables(ctx, conn, candidates)
	if err != nil {
		return nil, err
	}
	captured, _ := Captured(s.selection, tables)
	switch len(captured) {
	case 0:
		return nil, fmt.Errorf("no table has the rows of %s now", entity)
	case 1:
		return &captured[0], nil
	}
	return nil, fmt.Errorf("the rows of %s are in several tables (%s, %s), which have no common order; give each table an entity of its own",
		entity, captured[0].FullName(), captured[1].FullName())
}

// event is a row as it is served.
func (s *scan) event(t change.Tuple) (replhub.Event, error) {
	key, err := s.shape.Key(t)
	if err != nil {
		return replhub.Event{}, fmt.Errorf("%w; change the row, or name a key of other columns with --key", err)
	}
	data, err := s.shape.Row(nil, t)
	return replhub.Event{Key: key, Data: data, ContentType: "application/json"}, err
}
