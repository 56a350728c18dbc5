package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// preflight looks at the database: what does not fit is said at once, all of it. It
// writes nothing but the inbox's own tables, and these only where all else fits.
func (a *Applier) preflight(ctx context.Context) error {
	if a.target.file != "" && !a.cfg.Create {
		if _, err := os.Stat(a.target.file); err != nil {
			return &FindingsError{All: []string{fmt.Sprintf("%s does not exist: name another one, or make it with --create", a.target.name)}}
		}
	}
	if err := a.db.PingContext(ctx); err != nil {
		return fmt.Errorf("connect to %s: %w", a.target.name, err)
	}
	var f FindingsError
	for _, r := range a.replicas {
		if err := a.examine(ctx, r, &f); err != nil {
			return fmt.Errorf("look at table %s: %w", r.spec.Table, err)
		}
	}
	if err := f.orNil(); err != nil || a.cfg.DryRun {
		return err
	}
	return a.migrate(ctx)
}

// examine looks at one table, and opens it where it exists and fits.
func (a *Applier) examine(ctx context.Context, r *replica, f *FindingsError) error {
	columns, err := a.inbox.Columns(ctx, a.db, r.spec.Table)
	missing, gone := errors.AsType[*inbox.MissingTableError](err)
	switch {
	case gone && a.cfg.Create:
		return nil
	case gone:
		f.addf("%v: name another one, or make it with --create", missing)
		return nil
	case err != nil:
		return err
	}
	m, found := match(a.target.dialect, r.spec, columns)
	if len(found) > 0 {
		f.All = append(f.All, found...)
		return nil
	}
	table, found, err := a.open(ctx, m)
	f.All = append(f.All, found...)
	if err == nil && len(found) == 0 {
		r.know(m, table)
	}
	return err
}

// open makes an inbox's table of a matched one, checks it, and rehearses writes.
func (a *Applier) open(ctx context.Context, m matched) (*inbox.Table, []string, error) {
	table, err := a.inbox.NewTable(m.table)
	if err != nil {
		return nil, []string{err.Error()}, nil
	}
	err = table.Check(ctx, a.db)
	if problems, ok := errors.AsType[*inbox.TableError](err); ok {
		found := make([]string, 0, len(problems.Problems))
		for _, p := range problems.Problems {
			found = append(found, fmt.Sprintf("table %s: %s", problems.Table, p))
		}
		return nil, found, nil
	}
	if err != nil {
		return nil, nil, err
	}
	found, err := rehearse(ctx, a.db, a.target.dialect, m.table)
	return table, found, err
}

// migrate makes the inbox's own tables.
func (a *Applier) migrate(ctx context.Context) error {
	err := a.inbox.Migrate(ctx, a.db)
	switch {
	case err == nil:
		return nil
	case isDenied(err):
		return &FindingsError{All: []string{fmt.Sprintf("this user may not make the inbox's own tables (%v); run these as one who may, and grant SELECT, INSERT, UPDATE, DELETE on them:\n%s",
			err, indented(a.inbox.Schema()))}}
	default:
		return fmt.Errorf("make the inbox's tables in %s: %w", a.target.name, err)
	}
}

func indented(s database.Schema) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s.String()), "\n", "\n    ")
}

// unique drops what is said twice.
func unique(all []string) []string {
	var kept []string
	for _, one := range all {
		if !slices.Contains(kept, one) {
			kept = append(kept, one)
		}
	}
	return kept
}
