package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Setup makes what is missing: the publication, the tables that it lacks, and then the
// slot. Check must have found nothing that stands in the way. Two processes may do this
// at a time. Without makeSlot the slot is left to whoever makes it. leftOut names tables
// that are not to be captured.
func Setup(ctx context.Context, conn *pgx.Conn, w Wanted, c Catalog, leftOut map[string]bool, makeSlot bool, log *slog.Logger) error {
	captured := InPublication(w.Selection, c.Tables)
	captured = slices.DeleteFunc(captured, func(t Table) bool { return leftOut[t.FullName()] })
	if c.Publication == nil {
		if err := exec(ctx, conn, CreatePublication(w.PublicationName, captured)); err != nil {
			return fmt.Errorf("create the publication %s: %w", w.PublicationName, err)
		}
		log.Info("publication created", "publication", w.PublicationName, "tables", len(captured))
	} else if missing := c.Publication.missing(captured); len(missing) > 0 {
		if err := Add(ctx, conn, w, missing, log); err != nil {
			return err
		}
	}
	if c.Slot != nil || !makeSlot {
		return nil
	}
	// The slot comes last: from here on the server keeps its log.
	if err := exec(ctx, conn, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", w.SlotName); err != nil {
		return fmt.Errorf("create the slot %s: %w", w.SlotName, err)
	}
	log.Info("slot created", "slot", w.SlotName)
	return nil
}

// Add adds tables to the publication. The rows that they have by then were never
// published: services get them by a backfill.
func Add(ctx context.Context, conn *pgx.Conn, w Wanted, tables []Table, log *slog.Logger) error {
	for n := range tables {
		t := &tables[n]
		if err := exec(ctx, conn, AddToPublication(w.PublicationName, tables[n:n+1])); err != nil {
			return fmt.Errorf("add %s to the publication %s: %w", t.FullName(), w.PublicationName, err)
		}
		if w.Selection.Outbox(t.Schema, t.Name) != nil {
			log.Info("outbox added: the rows that are inserted from now on are events", "table", t.FullName(), "publication", w.PublicationName)
			continue
		}
		entity, _ := w.Selection.Entity(t.Schema, t.Name)
		log.Info("table added: its changes are captured from now on; services that are registered already get the rows that it has by a backfill",
			"table", t.FullName(), "entity", entity, "publication", w.PublicationName, "next", "replhub backfill <service> "+entity)
	}
	return nil
}

// The errors of what another process has made meanwhile.
const duplicateObject = "42710"

func exec(ctx context.Context, conn *pgx.Conn, statement string, args ...any) error {
	_, err := conn.Exec(ctx, statement, args...)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == duplicateObject {
		return nil
	}
	return err
}
