package inbox

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/replhub/replhub/internal/digest"
)

// SetShapeDoubt sets how old the known types of a table have to be for a second
// look before a value is refused.
func (i *Inbox) SetShapeDoubt(d time.Duration) { i.shapeDoubt = d }

// Normals are the normal forms of a payload's values and of the table's rows, by key.
func (t *Table) Normals(ctx context.Context, db *sql.DB, keys []string) (of func(payload string) []string, stored map[string][]string, err error) {
	c, err := t.comparison(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	stored = map[string][]string{}
	each := func(key string, values []string) error {
		stored[key] = slices.Clone(values)
		return nil
	}
	if keys == nil {
		err = c.all(ctx, db, each)
	} else {
		err = c.some(ctx, db, keys, each)
	}
	columns := digest.NewColumns(c.columns)
	return func(payload string) []string { return columns.Of([]byte(payload)) }, stored, err
}
