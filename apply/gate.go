package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// replica is a table on its way from a name in the config to one that takes rows.
type replica struct {
	spec   Table
	counts counts
	// opened is set once first rows were looked at: from then on rows are written.
	opened atomic.Pointer[inbox.Table]

	mu      sync.Mutex // guards what follows
	matched matched
	table   *inbox.Table // nil where the table does not exist yet
	// first are the rows to look at, and look is the one look under way.
	first []*replhub.Delivery
	look  *look
}

// look is one decision about first rows, which several workers wait for.
type look struct {
	arrived chan struct{} // has a token when a row has come
	done    chan struct{}
	err     error // set before done is closed
}

// known is the table as it is known; nil where it does not exist.
func (r *replica) known() (matched, *inbox.Table) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.matched, r.table
}

func (r *replica) know(m matched, t *inbox.Table) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.matched, r.table = m, t
}

// exists reports whether the table is known to be there.
func (r *replica) exists() bool {
	_, t := r.known()
	return t != nil
}

// settle returns the table that takes rows. At first it holds the rows that come, and
// looks at them: tables are made, and what does not fit ends the run, before the first
// row is written.
func (a *Applier) settle(ctx context.Context, r *replica, rows []*replhub.Delivery) (*inbox.Table, error) {
	for {
		if t := r.opened.Load(); t != nil {
			return t, nil
		}
		l, leads := r.join(rows)
		rows = nil
		if leads {
			l.err = a.decide(ctx, r, l)
			r.mu.Lock()
			r.look, r.first = nil, nil
			r.mu.Unlock()
			close(l.done)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if l.err != nil {
			return nil, l.err
		}
	}
}

// join adds rows to the look under way, or begins one.
func (r *replica) join(rows []*replhub.Delivery) (l *look, leads bool) {
	r.hold(rows)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.look == nil {
		r.look, leads = &look{arrived: make(chan struct{}, 1), done: make(chan struct{})}, true
	}
	select {
	case r.look.arrived <- struct{}{}:
	default:
	}
	return r.look, leads
}

// hold keeps rows to look at.
func (r *replica) hold(rows []*replhub.Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range rows {
		kept := *d
		kept.Data = bytes.Clone(d.Data)
		r.first = append(r.first, &kept)
	}
}

func (r *replica) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.first)
}

// take returns the rows that were held, without deletes, and forgets them.
func (r *replica) take() []*replhub.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.DeleteFunc(r.first, func(d *replhub.Delivery) bool { return d.Op == replhub.Delete })
	r.first = nil
	return rows
}

// decide looks at first rows. FindingsError end the run; any other error is one of the
// database, and the rows are looked at again.
func (a *Applier) decide(ctx context.Context, r *replica, l *look) error {
	err := a.admit(ctx, r, l)
	if _, ends := errors.AsType[*FindingsError](err); ends {
		a.end(err)
	}
	return err
}

func (a *Applier) admit(ctx context.Context, r *replica, l *look) error {
	seen, err := a.inbox.Seen(ctx, a.db, r.spec.Entity)
	if err != nil {
		return err
	}
	if _, table := r.known(); seen && table != nil {
		r.opened.Store(table) // what its rows show is known
		return nil
	}
	a.collect(ctx, r.held, l.arrived)
	if err := a.make(ctx, r, r.take()); err != nil {
		return err
	}
	_, table := r.known()
	r.opened.Store(table)
	return nil
}

// judge tries first rows. A column that refuses all of them does not fit; one that
// refuses some is warned about, and those rows become dead letters.
func (a *Applier) judge(ctx context.Context, m matched, table *inbox.Table, rows []*replhub.Delivery) error {
	trials := make([]inbox.Trial, 0, len(rows))
	for _, d := range rows {
		trial, err := table.Try(ctx, a.db, d)
		if err != nil {
			return err
		}
		trials = append(trials, trial)
	}
	misfits, warnings, absent := weigh(m, trials)
	own, err := a.ownValues(ctx, m, absent)
	if err != nil {
		return err
	}
	for _, column := range absent {
		if own[column] {
			misfits = append(misfits, fmt.Sprintf("table %s: column %q has values, and no row of %s has its member: they would become NULL; leave them alone with --ignore %[3]s.%[2]s, or name the member with --map %[3]s.<path>=%[2]s",
				m.spec.Table, column, m.spec.Entity))
			continue
		}
		warnings = append(warnings, fmt.Sprintf("column %q gets no value: none of %d rows of %s has its member; leave it alone with --ignore %[3]s.%[1]s, or name the member with --map %[3]s.<path>=%[1]s",
			column, len(rows), m.spec.Entity))
	}
	if len(misfits) > 0 {
		return &FindingsError{All: unique(misfits)}
	}
	for _, w := range warnings {
		a.log.Warn("some of the first rows do not fit", keyTable, m.spec.Table, "finding", w)
	}
	return nil
}

// ownValues tells which of some columns have values already.
func (a *Applier) ownValues(ctx context.Context, m matched, columns []string) (map[string]bool, error) {
	own := map[string]bool{}
	d := a.target.dialect
	for _, name := range columns {
		column, err := d.Quote(name)
		if err != nil {
			return nil, err
		}
		table, err := d.QuotePath(m.table.Table)
		if err != nil {
			return nil, err
		}
		var has bool
		query := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s IS NOT NULL)", table, column) //nolint:gosec // both are quoted
		if err := a.db.QueryRowContext(ctx, query).Scan(&has); err != nil {
			return nil, err
		}
		own[name] = has
	}
	return own, nil
}

// weigh tells what trials of first rows come to: misfits are of columns that refuse each
// row, warnings of columns that refuse some, and absent columns have no member in any
// row. One row alone proves nothing but for itself. Pure.
func weigh(m matched, trials []inbox.Trial) (misfits, warnings, absent []string) {
	if len(trials) == 0 {
		return nil, nil, nil
	}
	refused, first, missing := map[string]int{}, map[string]*inbox.ValueError{}, map[string]int{}
	for _, t := range trials {
		for _, e := range t.Refused {
			refused[e.Column]++
			if first[e.Column] == nil {
				first[e.Column] = e
			}
		}
		for _, column := range t.Missing {
			missing[column]++
		}
	}
	for _, column := range append([]string{"", m.table.Key}, columnNames(m.table.Columns)...) {
		switch n := refused[column]; {
		case n == len(trials) && n > 1:
			misfits = append(misfits, advice(m.spec, column, first[column], missing[column] == n))
		case n > 0:
			warnings = append(warnings, fmt.Sprintf("%d of %d rows would become dead letters: %v", n, len(trials), first[column]))
		case missing[column] == len(trials):
			absent = append(absent, column)
		}
	}
	return misfits, warnings, absent
}

// advice is a finding about a column that takes no row's value.
func advice(spec Table, column string, e *inbox.ValueError, missing bool) string {
	switch {
	case column == "":
		return fmt.Sprintf("table %s: no row of %s is a JSON object: %s", spec.Table, spec.Entity, e.Reason)
	case missing:
		return fmt.Sprintf("table %s: column %q is NOT NULL, and no row of %s has its member: name the member with --map %[3]s.<path>=%[2]s, or leave the column alone with --ignore %[3]s.%[2]s, which needs a default",
			spec.Table, column, spec.Entity)
	default:
		return fmt.Sprintf("table %s: column %q (%s) takes no row of %s, such as key %q with the value %s: %s",
			spec.Table, column, e.Type, spec.Entity, e.Key, e.Value, e.Reason)
	}
}
