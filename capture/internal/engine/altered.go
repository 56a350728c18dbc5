package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
)

// How a column was altered.
const (
	added   = "added"
	dropped = "dropped"
	retyped = "retyped"
)

// AlteredMend is what to do about a column of a table that was altered.
func AlteredMend(a captured.Altered) string {
	name, backfill := fmt.Sprintf("column %q of table %s", a.Column, a.Table), fmt.Sprintf("'replhub backfill <service> %s' brings them to each service; then start once with --dismiss", a.Entity)
	switch a.How {
	case added:
		return name + " was added with a default, which the log does not tell for the rows from before: " + backfill
	case dropped:
		return name + " was dropped, or renamed: no event has it any more, and replicas keep its last values; if it was renamed, they lack those of the new name: " + backfill
	default:
		return name + " has another type, and the log does not tell the new form of the values from before: " + backfill
	}
}

// descriptions are the tables as the stream described them last, in all sessions, and in
// the record as far as they differed. They may be used concurrently.
type descriptions struct {
	mu   sync.Mutex // guards last
	last map[uint32]*relation
}

func (d *descriptions) of(oid uint32) *relation {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last[oid]
}

func (d *descriptions) set(r *relation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = map[uint32]*relation{}
	}
	d.last[r.OID] = r
}

// compare raises an alarm for each column by which a table differs from its description
// before. A transaction that is stored may be sent again, with the description of its
// time, so that it says nothing.
func (d *decoder) compare(ctx context.Context, r *relation) error {
	before := d.relations[r.OID]
	if before == nil {
		before = d.described.of(r.OID)
	}
	if before == nil || r.table == nil || before.table == nil {
		d.described.set(r)
		return nil
	}
	if d.commit <= d.stored.Commit {
		return nil
	}
	for _, column := range differences(&before.Relation, &r.Relation) {
		if column.How == added {
			filled, err := d.tables.Filled(ctx, &r.Relation, column.Column)
			if err != nil {
				return fmt.Errorf("table %s: %w", r.name(), err)
			}
			if !filled {
				continue
			}
		}
		if wants(before, column.Column) || wants(r, column.Column) {
			column.Table, column.Entity = r.name(), r.table.Entity()
			d.alarm(alarm{altered: column, described: r})
		}
	}
	return nil
}

// wants reports whether a table has a column, and its events have it.
func wants(r *relation, column string) bool {
	at := slices.IndexFunc(r.Columns, func(c change.Column) bool { return c.Name == column })
	return at >= 0 && r.table.Wanted(at)
}

// differences are the columns by which a table differs from an earlier description.
func differences(before, after *change.Relation) []captured.Altered {
	var all []captured.Altered
	for _, c := range after.Columns {
		at := slices.IndexFunc(before.Columns, func(b change.Column) bool { return b.Name == c.Name })
		switch {
		case at < 0:
			all = append(all, captured.Altered{Column: c.Name, How: added})
		case before.Columns[at].Type != c.Type || narrowed(c.Type, before.Columns[at].Modifier, c.Modifier):
			all = append(all, captured.Altered{Column: c.Name, How: retyped})
		}
	}
	for _, b := range before.Columns {
		if !slices.ContainsFunc(after.Columns, func(c change.Column) bool { return c.Name == b.Name }) {
			all = append(all, captured.Altered{Column: b.Name, How: dropped})
		}
	}
	return all
}

// narrowed reports whether values from before may have another form under a type's new
// modifier, so that PostgreSQL changed them without an event: a number is rounded to fewer
// digits, a text cut or padded. Under a wider modifier each value stays as it was; a number
// only gets zeros at its end.
func narrowed(kind uint32, before, after int32) bool {
	switch {
	case before == after:
		return false
	case kind == pgtype.BPCharOID:
		return true // its values are padded to the length
	case after == noModifier:
		return false
	case before == noModifier:
		return true
	case kind == pgtype.NumericOID || kind == pgtype.NumericArrayOID:
		return scaleOf(after) < scaleOf(before) // fewer digits before the point are refused, not rounded
	case kind == pgtype.IntervalOID || kind == pgtype.IntervalArrayOID:
		return true // the modifier also says which fields it has
	}
	return after < before
}

// noModifier is the modifier of a column whose type has none.
const noModifier = -1

// scaleOf is the scale in a modifier of numeric, which may be negative. The modifier is
// (precision << 16 | scale of eleven bits) + 4, by PostgreSQL's numeric.c.
func scaleOf(modifier int32) int32 { return ((modifier-4)&0x7ff ^ 1024) - 1024 }
