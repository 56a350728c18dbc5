package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/jsapi"
)

// Finding is something that stands in the way of a capture, or, as a warning, that
// somebody should know before it begins.
type Finding = source.Finding

// Findings are all that a check found.
type Findings = source.Findings

// Table is a table that is captured, as a check shows it.
type Table struct {
	Name string `json:"table"`
	// Entity is that of its rows; empty for an outbox.
	Entity string `json:"entity,omitempty"`
	Outbox bool   `json:"outbox,omitempty"`
}

// PreflightError has the findings that keep a database from being captured.
type PreflightError struct{ Findings Findings }

// Error has each finding.
func (e *PreflightError) Error() string {
	return "the database is not ready to be captured:\n" + e.Findings.String()
}

// Capture captures one database. Its methods may be called concurrently.
type Capture struct {
	cfg    Config
	config *pgx.ConnConfig
	wanted source.Wanted
	engine *engine.Engine
	tables *source.Tables

	mu       sync.Mutex // guards degraded and unfit
	degraded []string   // what the watch found
	// unfit are the tables of which snapshots leave rows out, and why.
	unfit map[string]string
}

// New checks a Config without asking the database.
func New(cfg Config) (*Capture, error) {
	cfg = cfg.withDefaults()
	config, w, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	c := &Capture{cfg: cfg, config: config, wanted: w, tables: source.NewTables(config, w.Selection)}
	c.tables.DeleteOutbox = cfg.DeleteOutbox
	if cfg.Conn == nil {
		return c, nil // enough for Check
	}
	js, err := jsapi.Open(cfg.Conn, cfg.Domain)
	if err != nil {
		return nil, err
	}
	c.engine = engine.New(engine.Config{
		Database: config, JS: js, Slot: cfg.Slot, Publication: cfg.Publication, Tables: c.tables, Service: cfg.Service, NoEmitted: cfg.NoEmitted, Dismiss: cfg.Dismiss, OnResync: cfg.OnResync, Logger: cfg.Logger,
	})
	return c, nil
}

// Check returns the problems that keep the database from being captured, and the tables
// that would be captured. It changes nothing.
func (c *Capture) Check(ctx context.Context) (Findings, []Table, error) {
	conn, err := source.Connect(ctx, c.config)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
	catalog, err := source.Read(ctx, conn, c.wanted)
	if err != nil {
		return nil, nil, err
	}
	captured, entities := source.Captured(c.wanted.Selection, catalog.Tables)
	tables := make([]Table, 0, len(captured))
	for n := range captured {
		tables = append(tables, Table{Name: captured[n].FullName(), Entity: entities[n]})
	}
	for _, t := range source.Outboxes(c.wanted.Selection, catalog.Tables) {
		tables = append(tables, Table{Name: t.FullName(), Outbox: true})
	}
	return source.Check(c.wanted, catalog), tables, nil
}

// Run checks the database, makes what is missing, and captures until ctx ends. An error
// says what to do; a *PreflightError has all that is in the way. Conn must be set.
func (c *Capture) Run(ctx context.Context) error {
	if err := c.setup(ctx); err != nil {
		return err
	}
	defer c.tables.Close(context.WithoutCancel(ctx))
	if c.cfg.Resync {
		rows := &source.Rows{Tables: source.NewTables(c.config, c.wanted.Selection), Logger: c.cfg.Logger}
		if err := c.engine.Resync(ctx, rows); err != nil {
			return err
		}
		c.cfg.Logger.Info("resync: rows that were deleted while nothing was captured are still in the replicas; 'replhub verify <service> --repair' for each replica deletes them")
	}
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() error {
		defer cancel() // it returns nil when ctx has ended
		return c.engine.Run(ctx)
	})
	group.Go(func() error { return c.watch(ctx) })
	group.Go(func() error { return c.serve(ctx) })
	return group.Wait()
}

// setup makes what is missing.
func (c *Capture) setup(ctx context.Context) error {
	conn, err := source.Connect(ctx, c.config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what it did is committed
	catalog, err := source.Read(ctx, conn, c.wanted)
	if err != nil {
		return err
	}
	first, err := c.first(ctx)
	if err != nil {
		return err
	}
	found, leftOut := source.Check(c.wanted, catalog), map[string]bool(nil)
	if !first && !c.cfg.Resync {
		found, leftOut = found.LeaveOut(c.wanted, catalog)
	}
	if first && !c.cfg.Resync {
		found = append(found, source.Unrecorded(catalog)...)
	}
	if found.Failed() {
		return &PreflightError{found}
	}
	for _, f := range found {
		c.cfg.Logger.Warn("the check of the database found problems", "about", f.About, "finding", f.Message)
	}
	return source.Setup(ctx, conn, c.wanted, catalog, leftOut, first && !c.cfg.Resync, c.cfg.Logger)
}

// first reports whether nothing was captured from the slot before. A slot that is missing
// later is not made again in silence: changes would be missing.
func (c *Capture) first(ctx context.Context) (bool, error) {
	js, err := jsapi.Open(c.cfg.Conn, c.cfg.Domain)
	if err != nil {
		return false, err
	}
	log, err := captured.Open(ctx, captured.Config{JS: js, Entity: captured.Entity(c.cfg.Slot)})
	if err != nil {
		return false, fmt.Errorf("%w; is a hub running, and may this user read ingest (replhub auth service %s --captures)?", err, c.cfg.Service)
	}
	_, err = log.Read(ctx)
	if errors.Is(err, captured.ErrNone) {
		return true, nil
	}
	return false, err
}
