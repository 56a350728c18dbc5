package source

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/capture/internal/outboxtable"
	"github.com/replhub/replhub/capture/internal/row"
	"github.com/replhub/replhub/capture/internal/selection"
)

// Tables turns the relations of the stream into Shapes. It opens a connection at the
// first need, and again when that is lost. It is used by one goroutine; Close closes it.
type Tables struct {
	config    *pgx.ConnConfig
	selection *selection.Selection
	types     *row.Types
	conn      *pgx.Conn
	// DeleteOutbox says that the rows of outboxes are deleted once their events are stored.
	DeleteOutbox bool
}

var _ change.Tables = (*Tables)(nil)

// NewTables returns the tables of a selection.
func NewTables(config *pgx.ConnConfig, s *selection.Selection) *Tables {
	return &Tables{config: config, selection: s, types: row.NewTypes()}
}

// Close closes the connection.
func (t *Tables) Close(ctx context.Context) {
	if t.conn != nil {
		_ = t.conn.Close(ctx) // it only read
	}
}

// Outbox returns the Reader of a relation that is an outbox.
func (t *Tables) Outbox(ctx context.Context, rel *change.Relation) (change.Outbox, error) {
	layout := t.selection.Outbox(rel.Schema, rel.Name)
	if layout == nil {
		return nil, nil
	}
	conn, err := t.connection(ctx)
	if err != nil {
		return nil, err
	}
	var generation int64
	if layout.Own() {
		if generation, err = generationOf(ctx, conn, rel); err != nil {
			return nil, err
		}
	}
	var spent []int
	if t.DeleteOutbox {
		if spent, err = t.spent(ctx, conn, rel); err != nil {
			return nil, err
		}
	}
	reader, err := outboxtable.NewReader(layout, rel, generation, spent)
	if err != nil {
		return nil, &change.RefusalError{Err: err}
	}
	return reader, nil
}

// Filled reports whether a column that was added has a default, or had one when it was
// added. A default that is no constant has written the table again, without a change in
// the log.
func (t *Tables) Filled(ctx context.Context, rel *change.Relation, column string) (filled bool, err error) {
	conn, err := t.connection(ctx)
	if err != nil {
		return false, err
	}
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1 AND attname = $2 AND (atthasdef OR atthasmissing OR attidentity <> '') AND NOT attisdropped)",
		rel.OID, column).Scan(&filled)
	if err != nil {
		return false, fmt.Errorf("look at a column that was added: %w", err)
	}
	return filled, nil
}

// spent returns the positions of the primary key, by which a row is deleted.
func (t *Tables) spent(ctx context.Context, conn *pgx.Conn, rel *change.Relation) ([]int, error) {
	key, err := primaryKey(ctx, conn, rel.OID)
	if err != nil {
		return nil, err
	}
	var spent []int
	for n, c := range rel.Columns {
		if slices.Contains(key, c.Name) {
			spent = append(spent, n)
		}
	}
	if len(spent) < len(key) || len(key) == 0 {
		return nil, &change.RefusalError{Err: fmt.Errorf("the outbox has no primary key by which its rows could be deleted: ALTER TABLE %s ADD PRIMARY KEY, or start without --outbox-delete",
			pgx.Identifier{rel.Schema, rel.Name}.Sanitize())}
	}
	return spent, nil
}

// generationOf reads the generation in force of package outbox's table.
func generationOf(ctx context.Context, conn *pgx.Conn, rel *change.Relation) (generation int64, err error) {
	table := pgx.Identifier{rel.Schema, rel.Name + "_generation"}.Sanitize()
	err = conn.QueryRow(ctx, "SELECT generation FROM "+table).Scan(&generation)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the generation of the outbox: %w", change.Denied(err))
	}
	return generation, nil
}

// Table returns the Shape of a relation; nil when it is not captured. The relation is
// that of the change, which the catalog may have left behind: columns and the key come
// from the relation as far as it has them.
func (t *Tables) Table(ctx context.Context, rel *change.Relation) (change.Table, error) {
	entity, ok := t.selection.Entity(rel.Schema, rel.Name)
	if !ok {
		return nil, nil
	}
	shape, err := t.shape(ctx, entity, rel)
	if err != nil {
		return nil, err
	}
	return shape, nil
}

func (t *Tables) shape(ctx context.Context, entity string, rel *change.Relation) (*row.Shape, error) {
	conn, err := t.connection(ctx)
	if err != nil {
		return nil, err
	}
	name := rel.Schema + "." + rel.Name
	columns := make([]row.Column, len(rel.Columns))
	for n, c := range rel.Columns {
		kind, err := t.types.Of(ctx, conn, c.Type)
		if err != nil {
			return nil, err
		}
		columns[n] = row.Column{Name: c.Name, Type: kind, Excluded: t.selection.Excludes(rel.Schema, rel.Name, c.Name)}
	}
	if err := t.excluded(ctx, conn, rel); err != nil {
		return nil, err
	}
	key, err := t.key(ctx, conn, rel)
	if err != nil {
		return nil, err
	}
	shape, err := row.NewShape(entity, name, columns, key)
	if err != nil {
		return nil, &change.RefusalError{Err: err}
	}
	return shape, nil
}

// excluded makes sure that no column is published because it was renamed. An exclusion
// that matches nothing is in order if the catalog has its column now, beside all columns
// of the relation: then it is a generated one, or was added after the change.
func (t *Tables) excluded(ctx context.Context, conn *pgx.Conn, rel *change.Relation) error {
	names := make([]string, len(rel.Columns))
	for n, c := range rel.Columns {
		names[n] = c.Name
	}
	unmet := t.selection.Unmet(rel.Schema, rel.Name, names)
	if len(unmet) == 0 {
		return nil
	}
	rows, err := conn.Query(ctx, "SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped", rel.OID)
	if err != nil {
		return fmt.Errorf("read the columns of a table: %w", err)
	}
	now, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read the columns of a table: %w", err)
	}
	if len(notIn(names, now)) == 0 {
		unmet = t.selection.Unmet(rel.Schema, rel.Name, now)
	}
	return refuseUnmet(unmet)
}

// refuseUnmet refuses exclusions that match no column.
func refuseUnmet(unmet []selection.Exclusion) error {
	if len(unmet) == 0 {
		return nil
	}
	e := unmet[0]
	return &change.RefusalError{Err: fmt.Errorf("the table has no column %q, which --exclude names, and under another name the column would be published: "+
		"if it was renamed, exclude the new name too; then write --exclude '%s*', because an exclusion with * may match no column", e.Column, e.Text)}
}

func (t *Tables) connection(ctx context.Context) (*pgx.Conn, error) {
	if t.conn == nil || t.conn.IsClosed() {
		conn, err := Connect(ctx, t.config)
		if err != nil {
			return nil, err
		}
		t.conn = conn
	}
	return t.conn, nil
}

// key returns the columns of a relation's key. With the replica identity of the primary
// key, the relation itself says which they were at the change; else the catalog says
// which they are now.
func (t *Tables) key(ctx context.Context, conn *pgx.Conn, rel *change.Relation) ([]string, error) {
	key := t.selection.Key(rel.Schema, rel.Name)
	var identity []string
	for _, c := range rel.Columns {
		if c.Identity {
			identity = append(identity, c.Name)
		}
	}
	if key == nil && rel.Identity == 'd' && identity != nil {
		return identity, nil
	}
	if key == nil {
		now, err := primaryKey(ctx, conn, rel.OID)
		if err != nil {
			return nil, err
		}
		key = now
	}
	// Without the old key, a key that changed would look like an update of the new one.
	if missing := notIn(key, identity); len(missing) > 0 && rel.Identity != 'n' && identity != nil {
		return nil, &change.RefusalError{Err: fmt.Errorf("the replica identity does not have column %q of the key: ALTER TABLE %s REPLICA IDENTITY FULL, and start once with --resync",
			missing[0], pgx.Identifier{rel.Schema, rel.Name}.Sanitize())}
	}
	return key, nil
}

const primaryKeyQuery = `SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND i.indimmediate ORDER BY a.attnum`

func primaryKey(ctx context.Context, conn *pgx.Conn, table uint32) ([]string, error) {
	rows, err := conn.Query(ctx, primaryKeyQuery, table)
	if err != nil {
		return nil, fmt.Errorf("read a primary key: %w", err)
	}
	key, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read a primary key: %w", err)
	}
	return key, nil
}

// relation is a table as the stream would describe it now. Generated columns are in no
// stream.
func (t *Table) relation(key []string) change.Relation {
	rel := change.Relation{OID: t.OID, Schema: t.Schema, Name: t.Name, Identity: t.Identity[0]}
	for _, c := range t.Columns {
		if !c.Generated {
			rel.Columns = append(rel.Columns, change.Column{Name: c.Name, Type: c.Type, Modifier: -1, Identity: slices.Contains(key, c.Name)})
		}
	}
	return rel
}
