package row

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Types finds the rules of types by their OIDs. It keeps what it has read: the OID of
// a type never gets another base type or element. It is not safe for concurrent use.
type Types struct{ known map[uint32]Type }

// NewTypes returns Types that know PostgreSQL's own types.
func NewTypes() *Types { return &Types{known: map[uint32]Type{}} }

// Querier is a connection or a pool of pgx.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// A type is an array if it is printed as one; int2vector is not.
const typesQuery = `SELECT t.typtype = 'd', t.typbasetype, t.typoutput = 'array_out'::regproc, t.typelem, coalesce(e.typdelim, ',')::text,
	t.typtype = 'e', t.typname = 'citext'
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem WHERE t.oid = $1`

// Of returns the rule of a type. A type that the catalog does not have, because it was
// dropped since, is PostgreSQL's text.
func (t *Types) Of(ctx context.Context, db Querier, oid uint32) (Type, error) {
	if found, ok := builtin(oid); ok {
		return found, nil
	}
	if found, ok := t.known[oid]; ok {
		return found, nil
	}
	found, err := t.read(ctx, db, oid)
	if err != nil {
		return Type{}, fmt.Errorf("read the type with OID %d: %w", oid, err)
	}
	t.known[oid] = found
	return found, nil
}

func (t *Types) read(ctx context.Context, db Querier, oid uint32) (Type, error) {
	var c struct {
		domain, array, text, folded bool
		base, element               uint32
		delimiter                   string
	}
	rows, err := db.Query(ctx, typesQuery, pgx.QueryExecModeExec, oid)
	if err != nil {
		return Type{}, err
	}
	found := false
	_, err = pgx.ForEachRow(rows, []any{&c.domain, &c.base, &c.array, &c.element, &c.delimiter, &c.text, &c.folded}, func() error {
		found = true
		return nil
	})
	switch {
	case err != nil:
		return Type{}, err
	case !found:
		return Type{kind: kindOpaque}, nil
	case c.domain:
		return t.Of(ctx, db, c.base)
	case c.array:
		element, err := t.Of(ctx, db, c.element)
		return Type{kind: kindArray, element: &element, delimiter: c.delimiter[0]}, err
	case c.text:
		return Type{kind: kindText}, nil
	case c.folded:
		return Type{kind: kindFolded}, nil
	default:
		return Type{kind: kindOpaque}, nil
	}
}
