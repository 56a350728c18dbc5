package apply

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/replhub/replhub/inbox"
)

// Replicas are the tables of a Config, opened to look at them.
type Replicas struct {
	DB     *sql.DB
	Tables []Replica
}

// Replica is one table, with its columns matched as Run matches them.
type Replica struct {
	Entity string
	Table  *inbox.Table
}

// OpenReplicas opens the database of a Config and its tables. It writes nothing. What does
// not fit is a [*FindingsError]. The caller closes the database.
func OpenReplicas(ctx context.Context, cfg Config) (*Replicas, error) {
	cfg.Create = false
	a, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if a.db, a.target, err = a.cfg.openDatabase(); err != nil {
		return nil, err
	}
	r, err := a.look(ctx)
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	return r, nil
}

func (a *Applier) look(ctx context.Context) (*Replicas, error) {
	in, err := inbox.New(inbox.Config{Dialect: a.target.dialect, Table: a.cfg.Inbox, Logger: a.log})
	if err != nil {
		return nil, err
	}
	a.inbox = in
	if err := a.db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", a.target.name, err)
	}
	all := &Replicas{DB: a.db}
	var f FindingsError
	for _, r := range a.replicas {
		columns, err := in.Columns(ctx, a.db, r.spec.Table)
		if missing, gone := errors.AsType[*inbox.MissingTableError](err); gone {
			f.addf("%v", missing)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at table %s: %w", r.spec.Table, err)
		}
		m, found := match(a.target.dialect, r.spec, columns)
		if f.All = append(f.All, found...); len(found) > 0 {
			continue
		}
		table, err := in.NewTable(m.table)
		if err == nil {
			err = table.Check(ctx, a.db)
		}
		if err != nil {
			f.addf("%v", err)
			continue
		}
		all.Tables = append(all.Tables, Replica{Entity: r.spec.Entity, Table: table})
	}
	if err := f.orNil(); err != nil {
		return nil, err
	}
	return all, nil
}
