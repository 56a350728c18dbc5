// Package change is the border between the two halves of capture: the stream of changes
// (package engine), and what a table's rows look like as events (package row).
//
// Decisions that both halves stand on:
//
//   - Values are PostgreSQL's text output, as the replication stream sends it. Whoever
//     reads values by SQL selects col::text with the settings of Settings, so that both
//     spell a value alike.
//   - A tuple has one value for each of the relation's columns, in their order. The
//     relation comes from the stream and is the one in force at the change; it changes
//     when columns are added, dropped or renamed. A generated column is not in the
//     relation (PostgreSQL 15); package row reads it, or leaves it out by its rule.
//   - The engine replaces each Unchanged value before it asks for a row, if the row still
//     has the column. A column of the key is never Unchanged.
//   - An update whose key changed is a delete of the old key and a create of the new one;
//     the engine decides that by comparing the strings of Key.
//   - The version of an event is its change's LSN plus the slot's lift (0 unless the
//     database was restored, or the slot was made again). The engine sets version, key,
//     origin and content type; a Table gives entity, key and payload.
//   - A partition's changes arrive under its root (publish_via_partition_root).
package change

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/replhub/replhub/internal/contract"
)

// Settings are the session settings under which values are spelt. They are sent when a
// connection opens, so that the settings of the role and of the database do not count.
func Settings() map[string]string {
	return map[string]string{
		"client_encoding": "UTF8",
		"datestyle":       "ISO, YMD",
		"timezone":        "UTC",
		// P1Y2M3DT4H5M6S, which other databases and languages read.
		"intervalstyle": "iso_8601",
		// The shortest digits that are read as the same float.
		"extra_float_digits": "3",
		"bytea_output":       "hex",
		"lc_monetary":        "C",
		// A value of regclass and its like is printed with its schema.
		"search_path": "pg_catalog",
		// Where a policy would hide rows, the server answers with an error (see Denied): a
		// row that is hidden looks as if it were deleted.
		"row_security": "off",
	}
}

// Relation is a table as the stream describes it.
type Relation struct {
	OID          uint32
	Schema, Name string
	// Identity is the table's replica identity: 'd' (primary key), 'n' (nothing), 'f'
	// (the full row) or 'i' (an index).
	Identity byte
	Columns  []Column
}

// Column is a column of a Relation.
type Column struct {
	Name string
	// Type is the OID of the column's type, Modifier its atttypmod; -1 means none.
	Type     uint32
	Modifier int32
	// Identity says that the column belongs to the replica identity. An old tuple then
	// has its value, and Null in all other columns, unless the identity is the full row.
	Identity bool
}

// Kind says what a Value is.
type Kind uint8

// The kinds of a value. Unchanged is a large value (TOAST) that the stream leaves out,
// because the update did not change it.
const (
	Null Kind = iota
	Text
	Unchanged
)

// Value is one column of a row. Text is valid until the next change is read.
type Value struct {
	Kind Kind
	Text []byte
}

// Tuple has a value for each column of its relation.
type Tuple []Value

// Tables says which tables are captured. It is used by one goroutine.
type Tables interface {
	// Table returns how the rows of a relation become events. It is called for each
	// description of the relation, so also after a change of its columns. Nil means
	// that the table is not captured. A *RefusalError stops the capture; any other error, such
	// as a connection that is lost, is tried again.
	Table(ctx context.Context, rel *Relation) (Table, error)
	// Outbox returns how the rows that are inserted into a relation become events, if it
	// is an outbox; else nil, and Table is called. Errors are as those of Table.
	Outbox(ctx context.Context, rel *Relation) (Outbox, error)
	// Filled reports whether a column has, in rows from before it was added, a value other
	// than NULL, which no change in the log tells of.
	Filled(ctx context.Context, rel *Relation, column string) (bool, error)
}

// Outbox turns the rows of a service's outbox into events. It does no I/O.
type Outbox interface {
	// Event returns the event that an inserted row is, and keeps nothing of the tuple. An
	// error says why the row is none; it concerns this row alone.
	Event(t Tuple) (contract.Emitted, error)
	// Spent are the indexes of the columns by which a row is deleted once its event is
	// stored; nil leaves the rows to the service.
	Spent() []int
}

// RefusalError says why the rows of a table cannot become events, and what the operator has to
// change.
type RefusalError struct{ Err error }

// Error implements error.
func (r *RefusalError) Error() string { return r.Err.Error() }

// Unwrap returns the reason.
func (r *RefusalError) Unwrap() error { return r.Err }

// UnfitError says why one row cannot be in an event, because of its own values. It is the
// only error for which a row may be left out: a later change publishes the row as a whole,
// and all others are published. What concerns more than the one row stops the capture.
type UnfitError struct{ Err error }

// Error implements error.
func (u *UnfitError) Error() string { return u.Err.Error() }

// Unwrap returns the reason.
func (u *UnfitError) Unwrap() error { return u.Err }

// Unfit reports whether an error concerns one row alone.
func Unfit(err error) bool {
	_, unfit := errors.AsType[*UnfitError](err)
	return unfit
}

// Denied turns the server's refusal to show rows (42501) into a *RefusalError that names
// the right. Every other error stays as it is.
func Denied(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "42501" {
		return err
	}
	return &RefusalError{fmt.Errorf("%w: the role of the capture needs SELECT on the table, USAGE on its schema, and BYPASSRLS where the table has row security; 'replhub capture postgres --check' prints the statements", err)}
}

// Table turns the rows of a table into events. It does no I/O.
type Table interface {
	// Entity is the entity of the table's events.
	Entity() string
	// KeyColumns are the indexes of the columns that the key is made of.
	KeyColumns() []int
	// Wanted reports whether an event can have a column. A large value of another column
	// need not be read.
	Wanted(column int) bool
	// Key is the canonical key of a row: valid UTF-8 that a header can carry
	// (contract.FitsHeader), at most contract.MaxKey bytes. An *UnfitError says that the
	// row's values are no such key.
	Key(t Tuple) (string, error)
	// Row appends the payload of a row: a JSON object of all columns that are captured. A
	// column that is still Unchanged was dropped or renamed since, so that its value can
	// no longer be read: Row leaves it out.
	Row(dst []byte, t Tuple) ([]byte, error)
	// KeyRow appends the payload of a delete: a JSON object of the key's columns.
	KeyRow(dst []byte, t Tuple) ([]byte, error)
}

// Row is one row of a resync or a snapshot, with the relation's columns in their order.
type Row struct {
	// Name is "schema.table".
	Name  string
	Table Table
	Tuple Tuple
}

// Rows reads all rows of all captured tables in one snapshot of the database, as the
// tables' order and keys have it, and calls yield for each. The engine gives the
// snapshot's name (pg_export_snapshot, or CREATE_REPLICATION_SLOT's); yield's Row is
// valid until yield returns.
type Rows interface {
	Rows(ctx context.Context, snapshot string, yield func(Row) error) error
}
