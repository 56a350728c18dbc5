package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
)

// shards gives shards to one relay at a time.
type shards interface {
	// begin is called once, before the rest.
	begin(ctx context.Context, log *slog.Logger) error
	// withRows returns the shards that have rows to publish. If many is true, the
	// shards may have rows: there are more rows than one batch takes, and each shard
	// must be read by itself.
	withRows(ctx context.Context) (found []int, many bool, err error)
	// forget is called after an error of the database, when the knowledge about it
	// may be outdated.
	forget()
	// claim holds those of some shards that no other relay holds; nil when there is
	// none. late outlives ctx, which bounds the call alone.
	claim(ctx, late context.Context, some []int) (hold, error)
}

// hold is shards on which no other relay works, until release.
type hold interface {
	// rows gives the shards' first rows, a batch at most: each shard's in order, and
	// none of a shard without those before it.
	rows(ctx context.Context) ([]row, error)
	// settle deletes published rows and sets others aside, all or nothing.
	settle(ctx context.Context, out outcome) error
	// release is called once, after settle or instead of it.
	release(ctx context.Context) error
}

// querier is a *sql.DB, *sql.Conn or *sql.Tx.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// shardsOf runs a query for shards.
func shardsOf(ctx context.Context, db querier, query string) (found []int, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("find rows to publish: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var shard int
		if err := rows.Scan(&shard); err != nil {
			return nil, err
		}
		found = append(found, shard)
	}
	return found, rows.Err()
}

// maxBatchBytes cuts a batch of large rows, for the sake of memory.
const maxBatchBytes = 8 << 20

func (o *Outbox) read(ctx context.Context, db querier, query string, generation int64) (found []row, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; size < maxBatchBytes && rows.Next(); {
		r, bytes, err := scanRow(rows, generation)
		if err != nil {
			return nil, err
		}
		size += bytes
		found = append(found, r)
	}
	return found, rows.Err()
}

// firstOf selects the first rows of some shards. few says that hardly a row is of
// another shard; else there is one shard alone.
func (o *Outbox) firstOf(some []int, limit int, few bool) string {
	from, where := o.cfg.Table, fmt.Sprintf("shard = %d", some[0])
	switch {
	case !few:
	case o.cfg.Dialect == database.MariaDB:
		from, where = from+" FORCE INDEX (PRIMARY)", "shard IN ("+list(some)+")"
	case len(some) > 1:
		where = "+shard IN (" + list(some) + ")" // the plus has SQLite go by id
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY id LIMIT %d", rowColumns, from, where, limit)
}

// rowColumns are what scanRow scans.
const rowColumns = "id, shard, entity, op, entity_key, version, event_id, content_type, header, payload"

func scanRow(rows *sql.Rows, generation int64) (r row, bytes int, err error) {
	ev := &r.ev
	err = rows.Scan(&r.id, &r.shard, &ev.Entity, (*string)(&ev.Op), &ev.Key, &ev.Version, &ev.ID, &ev.ContentType, &r.header, &ev.Data)
	if err != nil {
		return r, 0, err
	}
	ev.Header, r.broken = header(r.header)
	if ev.Version, err = versionIn(generation, ev.Version); err != nil {
		r.broken = err
	}
	return r, len(ev.Data) + len(r.header), nil
}

func header(text string) (map[string][]string, error) {
	if text == "" {
		return nil, nil
	}
	var h map[string][]string
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return nil, fmt.Errorf("%w: headers in the table: %w", replhub.ErrInvalidEvent, err)
	}
	return h, nil
}

// settle deletes and sets aside by id: a row with a lower one may have been
// committed since these were read.
func (o *Outbox) settle(ctx context.Context, tx querier, out outcome) error {
	gone := out.published
	for _, a := range out.aside {
		if err := o.setAside(ctx, tx, a); err != nil {
			return err
		}
		gone = append(gone, a.row)
	}
	statement, args := o.sql.deleteRows(gone)
	_, err := tx.ExecContext(ctx, statement, args...)
	return err
}

func list[T int | int64](ids []T) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(int64(id), 10))
	}
	return b.String()
}

// setAside copies a row into the table of failed events.
func (o *Outbox) setAside(ctx context.Context, tx querier, a refusal) error {
	const most = 2000
	text := a.err.Error()
	text = strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), most)], "\x00", ""), "")
	first, second := "?", "?"
	if o.cfg.Dialect == database.Postgres {
		first, second = "$1::bigint", "$2::text"
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %[1]s_failed (id, %[2]s, failed_at, error) SELECT id, %[2]s, %[3]s, %[4]s FROM %[1]s WHERE id = %[5]d",
		o.cfg.Table, columns, first, second, a.id), time.Now().UnixMilli(), text)
	return err
}
