package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"

	"github.com/replhub/replhub/capture/internal/change"
)

// relation is a table as the stream described it last.
type relation struct {
	change.Relation

	table  change.Table  // nil when the table is not captured
	outbox change.Outbox // nil when the table is no outbox
}

func (r *relation) name() string { return r.Schema + "." + r.Name }

// describe takes the description of a table.
func (d *decoder) describe(ctx context.Context, data []byte) error {
	parsed, err := pglogrepl.Parse(data)
	if err != nil {
		return fmt.Errorf("read the description of a table: %w", err)
	}
	msg, ok := parsed.(*pglogrepl.RelationMessage)
	if !ok {
		return errShort
	}
	r := &relation{Relation: change.Relation{
		OID: msg.RelationID, Schema: msg.Namespace, Name: msg.RelationName, Identity: msg.ReplicaIdentity,
		Columns: make([]change.Column, len(msg.Columns)),
	}}
	for i, c := range msg.Columns {
		r.Columns[i] = change.Column{Name: c.Name, Type: c.DataType, Modifier: c.TypeModifier, Identity: c.Flags&1 != 0}
	}
	if r.outbox, err = d.tables.Outbox(ctx, &r.Relation); err == nil && r.outbox == nil {
		r.table, err = d.tables.Table(ctx, &r.Relation)
	}
	if _, refused := errors.AsType[*change.RefusalError](err); refused {
		return problemf(Refused, "table %s: %w", r.name(), err)
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", r.name(), err)
	}
	if err := d.compare(ctx, r); err != nil {
		return err
	}
	d.spends = d.spends || r.outbox != nil && r.outbox.Spent() != nil
	d.relations[r.OID] = r
	return nil
}
