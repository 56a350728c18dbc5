package apply

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// adopt opens a table that another instance, or somebody, has made since this one looked.
func (a *Applier) adopt(ctx context.Context, r *replica) error {
	columns, err := a.inbox.Columns(ctx, a.db, r.spec.Table)
	if _, gone := errors.AsType[*inbox.MissingTableError](err); gone {
		return nil
	}
	if err != nil {
		return err
	}
	return a.bind(ctx, r, columns)
}

// create makes a table from rows, and has the service registered for its columns alone.
func (a *Applier) create(ctx context.Context, r *replica, rows []*replhub.Delivery) error {
	g := infer(a.target.dialect, r.spec, rows)
	if len(g.columns) == 0 {
		return &FindingsError{All: []string{fmt.Sprintf("table %s cannot be made: the rows of %s have no member beside their key", r.spec.Table, r.spec.Entity)}}
	}
	statement, err := createTable(a.target.dialect, r.spec.Table, g)
	if err != nil {
		return &FindingsError{All: []string{fmt.Sprintf("table %s cannot be made: %v", r.spec.Table, err)}}
	}
	for _, left := range g.leftOut {
		a.log.Warn("a member gets no column", keyTable, r.spec.Table, "member", left)
	}
	if a.cfg.OnDDL != nil {
		a.cfg.OnDDL(r.spec.Table, statement)
	}
	if a.cfg.DryRun {
		return nil
	}
	if _, err := a.db.ExecContext(ctx, statement); err != nil {
		// Another instance may have made it in the meantime.
		if _, absent := a.inbox.Columns(ctx, a.db, r.spec.Table); absent != nil {
			return a.notCreated(r, statement, err)
		}
	} else {
		a.log.Info("the table was made", keyTable, r.spec.Table, keyEntity, r.spec.Entity, "columns", len(g.columns)+1)
	}
	columns, err := a.inbox.Columns(ctx, a.db, r.spec.Table)
	if err != nil {
		return err
	}
	return a.bind(ctx, r, columns)
}

// notCreated is the error of a table that could not be made: a finding, unless the
// database is away.
func (a *Applier) notCreated(r *replica, statement string, err error) error {
	switch {
	case isDenied(err):
		return &FindingsError{All: []string{fmt.Sprintf("this user may not make table %s (%v); run this as one who may, and grant SELECT, INSERT, UPDATE, DELETE on it:\n    %s;",
			r.spec.Table, err, statement)}}
	case database.Classify(err) == database.Unavailable && !isReadOnly(err):
		return fmt.Errorf("make table %s: %w", r.spec.Table, err)
	default:
		return &FindingsError{All: []string{fmt.Sprintf("table %s cannot be created: %v; remove the cause, or run your own statement in place of\n    %s;", r.spec.Table, err, statement)}}
	}
}

// bind opens a table that was made, and narrows the interest to its columns.
func (a *Applier) bind(ctx context.Context, r *replica, columns []inbox.TableColumn) error {
	m, found := match(a.target.dialect, r.spec, columns)
	if len(found) > 0 {
		return &FindingsError{All: found}
	}
	table, found, err := a.open(ctx, m)
	switch {
	case err != nil:
		return err
	case len(found) > 0:
		return &FindingsError{All: unique(found)}
	}
	r.know(m, table)
	if a.cfg.WholeRows || a.cfg.DryRun {
		return nil
	}
	// The rows that are on their way are whole; those that are copied from now on have
	// the columns' fields. Nothing depends on it: the next start says it again.
	if err := a.narrow(ctx, r, m); err != nil {
		a.log.Warn("the interest could not be narrowed to the table's columns; the next start does it", keyEntity, r.spec.Entity, keyErr, err)
	}
	return nil
}

// narrow registers the fields of one table.
func (a *Applier) narrow(ctx context.Context, r *replica, m matched) error {
	was, err := a.registered(ctx)
	if err != nil {
		return err
	}
	in := replhub.Interest{Entity: r.spec.Entity, Filter: r.spec.Where, Fields: m.fields, Start: a.cfg.Start}
	if old := interestOf(was, r.spec.Entity); old != nil {
		in.Ops, in.Echo, in.Filter = old.Ops, old.Echo, old.Filter
	}
	_, err = a.client.Register(ctx, replhub.Registration{Interests: []replhub.Interest{in}})
	return err
}
