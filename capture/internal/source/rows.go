package source

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
)

// reportEvery is the time between two lines about the progress of a resync.
const reportEvery = 10 * time.Second

// Rows reads all rows of all captured tables, for a resync.
type Rows struct {
	Tables *Tables
	Logger *slog.Logger
}

var _ change.Rows = (*Rows)(nil)

// Rows yields each row in the snapshot of that name.
func (r *Rows) Rows(ctx context.Context, snapshot string, yield func(change.Row) error) error {
	conn, err := Connect(ctx, r.Tables.config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(pgx.Tx) error {
		if _, err := conn.PgConn().Exec(ctx, "SET TRANSACTION SNAPSHOT "+literal(snapshot)).ReadAll(); err != nil {
			return fmt.Errorf("take the snapshot: %w", err)
		}
		all, err := ReadTables(ctx, conn)
		if err != nil {
			return err
		}
		tables, entities := Captured(r.Tables.selection, all)
		p := &progress{log: r.Logger, began: time.Now(), told: time.Now()}
		if p.expected, err = expectedRows(ctx, conn, tables); err != nil {
			return err
		}
		for n := range tables {
			if err := r.table(ctx, conn, &tables[n], entities[n], p, yield); err != nil {
				return err
			}
		}
		p.log.Info("resync: all rows are read", p.figures()...)
		return nil
	})
}

func (r *Rows) table(ctx context.Context, conn *pgx.Conn, t *Table, entity string, p *progress, yield func(change.Row) error) error {
	s, err := newScan(ctx, conn, r.Tables, t, entity)
	if err != nil {
		return err
	}
	p.table = t.FullName()
	return s.run(ctx, conn, s.query("", ""), nil, func(_ bool, tuple change.Tuple) error {
		p.row()
		return yield(change.Row{Name: t.FullName(), Table: s.shape, Tuple: tuple})
	})
}

// literal is a text in SQL.
func literal(text string) string {
	out := []byte{'\''}
	for n := range len(text) {
		if text[n] == '\'' {
			out = append(out, '\'')
		}
		out = append(out, text[n])
	}
	return string(append(out, '\''))
}

// expectedRows is how many rows the statistics say that tables have.
func expectedRows(ctx context.Context, conn *pgx.Conn, tables []Table) (int64, error) {
	var oids []uint32
	for _, t := range tables {
		oids = append(oids, t.OID)
	}
	var rows int64
	// A partitioned table has no rows of its own.
	err := conn.QueryRow(ctx, `SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c
		WHERE c.relkind = 'r' AND (c.oid = ANY ($1) OR c.relispartition AND pg_partition_root(c.oid) = ANY ($1))`, oids).Scan(&rows)
	if err != nil {
		return 0, fmt.Errorf("estimate the rows: %w", err)
	}
	return rows, nil
}

// progress tells how far a resync is.
type progress struct {
	log         *slog.Logger
	table       string
	rows        int64
	expected    int64
	began, told time.Time
}

func (p *progress) row() {
	p.rows++
	if p.rows%1000 == 0 && time.Since(p.told) >= reportEvery {
		p.told = time.Now()
		p.log.Info("resync: rows are read", p.figures()...)
	}
}

// figures are what a line of the log says.
func (p *progress) figures() []any {
	rate := float64(p.rows) / max(time.Since(p.began).Seconds(), 0.001)
	remaining := float64(max(0, p.expected-p.rows)) / max(rate, 1)
	return []any{
		"table", p.table, "rows", p.rows, "expected", p.expected, "rows_per_second", int64(rate),
		"remaining", time.Duration(remaining * float64(time.Second)).Round(time.Second).String(),
	}
}
