package apply

import (
	"context"
	"errors"

	"github.com/replhub/replhub/inbox"
)

// Check looks at the database as [Run] does before it begins: the tables, their columns'
// types, keys and collations, and the user's rights. It changes nothing, needs no hub, and
// returns what does not fit, a sentence each. The error is that of a database that cannot
// be asked, or of a wrong Config ([*FindingsError]).
func Check(ctx context.Context, cfg Config) (found []string, err error) {
	cfg.DryRun = true // no table of the inbox is made
	a, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if a.db, a.target, err = a.cfg.openDatabase(); err != nil {
		return nil, err
	}
	defer func() { _ = a.db.Close() }() // only rows were read
	if a.inbox, err = inbox.New(inbox.Config{Dialect: a.target.dialect, Table: a.cfg.Inbox, Logger: a.log}); err != nil {
		return nil, err
	}
	err = a.preflight(ctx)
	if f, ok := errors.AsType[*FindingsError](err); ok {
		return f.All, nil
	}
	return nil, err
}
