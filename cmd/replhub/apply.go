package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
)

// defaultApplyAddr is where the HTTP of apply listens.
const defaultApplyAddr = "127.0.0.1:8282"

// applyFlags are the flags of apply; each of those that name an entity may be repeated.
type applyFlags struct {
	bridgeFlags

	cfg                               apply.Config
	start                             string
	tables, maps, keys, ignore, where []string
}

func newApply(a *app) *cobra.Command {
	f := &applyFlags{}
	cmd := &cobra.Command{
		Use:     "apply <service> --dsn <database> --table <entity>=<table>...",
		GroupID: groupServices,
		Short:   "Keep tables equal to the rows of other services, without code",
		Long: `Run an instance of a service that writes the changes of entities into tables, each
change once. The service is registered for just the fields that the tables' columns
take. Columns take the members of their names; --map names others. Several instances
share the work.

The form of the DSN selects the database: postgres://, mysql:// or mariadb://, sqlite: or
file:. Prefer DATABASE_URL or --dsn-file to --dsn, because other users can read command
lines. The file is read again at each connection.

The command reports all problems at once, before it writes the first row. Each flag is
also a variable (such as REPLHUB_APPLY_TABLE, with one value on each line) and a member
of the file that --config names.`,
		Example: `  replhub apply sharing --dsn postgres://app@db/sharing --table user=people --start snapshot
  replhub apply sharing --table user=people --map user.address.city=city --where "user=data.active"
  replhub apply sharing --dsn sqlite:replica.db --table user=people --create --dry-run
  replhub apply sharing --config apply.yaml --once`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
	}
	f.register(cmd)
	f.bridgeFlags.register(cmd, defaultApplyAddr, true)
	a.completeFlags(cmd, map[string]completer{"start": oneOf("new", "all", "snapshot")})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		cfg, err := f.config(cmd.Flags(), args[0])
		if err != nil {
			return err
		}
		return a.apply(ctx, f, cfg)
	})
	return cmd
}

func (f *applyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.cfg.DSN, "dsn", "", "the database; prefer $DATABASE_URL or --dsn-file")
	flags.StringVar(&f.cfg.DSNFile, "dsn-file", "", "file that holds the DSN")
	flags.StringArrayVar(&f.tables, "table", nil, "entity=table: the table of an entity's rows; repeated")
	flags.StringArrayVar(&f.maps, "map", nil, "entity.path=column: the column of a member; repeated")
	flags.StringArrayVar(&f.keys, "key", nil, "entity=column: the key's column, if it is not the primary key; repeated")
	flags.StringArrayVar(&f.ignore, "ignore", nil, "entity.column: a column that is never written; repeated")
	flags.StringArrayVar(&f.where, "where", nil, "entity=CEL: filter of the rows that the table gets; true for all rows (default as registered); repeated")
	flags.StringVar(&f.start, "start", "new", "new, all (every event that ingest holds) or snapshot (the rows that the owner has now); counts at the first registration only")
	flags.IntVar(&f.cfg.Partitions, "partitions", 0, "number of queues, which bounds the instances at work (default 8, or as registered)")
	flags.IntVar(&f.cfg.Workers, "workers", 0, "transactions at once (default 8)")
	flags.BoolVar(&f.cfg.WholeRows, "whole-rows", false, "register for whole rows, so that the log names members that no column takes")
	flags.StringVar(&f.cfg.Inbox, "inbox-table", "", "the inbox's own table (default replhub_inbox_<service>)")
	flags.BoolVar(&f.cfg.Create, "create", false, "create missing tables, with columns for the members of the first rows")
	flags.BoolVar(&f.cfg.DryRun, "dry-run", false, "check, and print the changes that a run would make; write nothing into the database")
}

// config is what the flags come to.
func (f *applyFlags) config(flags *pflag.FlagSet, service string) (apply.Config, error) {
	cfg := f.cfg
	cfg.Service, cfg.Once, cfg.DrainTimeout = service, f.once, f.drain
	if cfg.DSNFile != "" && cfg.DSN == os.Getenv("DATABASE_URL") {
		cfg.DSN = "" // the file was named for this command
	}
	for _, name := range []string{"workers", "partitions"} {
		if n, err := flags.GetInt(name); err == nil && flags.Changed(name) && n < 1 {
			return cfg, usagef("--%s %d: must be above 0", name, n)
		}
	}
	starts := map[string]replhub.Start{"new": replhub.StartNew(), "earliest": replhub.StartAll(), "all": replhub.StartAll(), "snapshot": replhub.StartSnapshot()}
	start, ok := starts[f.start]
	if !ok {
		return cfg, usagef("--start %q: must be new, all or snapshot", f.start)
	}
	cfg.Start = start
	return cfg, f.parseTables(&cfg)
}

// parseTables reads what the flags say of each entity.
func (f *applyFlags) parseTables(cfg *apply.Config) error {
	for _, text := range f.tables {
		entity, table, ok := strings.Cut(text, "=")
		if !ok || entity == "" || table == "" {
			return usagef("--table %q: must be entity=table", text)
		}
		cfg.Tables = append(cfg.Tables, apply.Table{Entity: entity, Table: table, Columns: map[string]string{}})
	}
	of := func(flag, entity, text string) (*apply.Table, error) {
		for i := range cfg.Tables {
			if cfg.Tables[i].Entity == entity {
				return &cfg.Tables[i], nil
			}
		}
		return nil, usagef("--%s %q: there is no --table of entity %q", flag, text, entity)
	}
	for _, flag := range []struct {
		name, form, first string
		values            []string
		set               func(t *apply.Table, left, right string) bool
	}{
		{"map", "entity.path=column", ".", f.maps, func(t *apply.Table, left, right string) bool {
			path, column, ok := cutLast(right, "=")
			if _, twice := t.Columns[column]; twice {
				return false
			}
			t.Columns[column] = path
			return ok && path != "" && column != ""
		}},
		{"key", "entity=column", "=", f.keys, func(t *apply.Table, _, right string) bool {
			twice := t.Key != ""
			t.Key = right
			return !twice
		}},
		{"ignore", "entity.column", ".", f.ignore, func(t *apply.Table, _, right string) bool {
			t.Ignore = append(t.Ignore, right)
			return true
		}},
		{"where", "entity=CEL", "=", f.where, func(t *apply.Table, _, right string) bool {
			twice := t.Where != ""
			t.Where = right
			return !twice
		}},
	} {
		for _, text := range flag.values {
			entity, rest, ok := strings.Cut(text, flag.first)
			if !ok || entity == "" || strings.TrimSpace(rest) == "" {
				return usagef("--%s %q: must be %s", flag.name, text, flag.form)
			}
			t, err := of(flag.name, entity, text)
			if err != nil {
				return err
			}
			if !flag.set(t, entity, rest) {
				return usagef("--%s %q: must be %s, and each once", flag.name, text, flag.form)
			}
		}
	}
	return nil
}

// cutLast cuts at the last separator: a path may have one, a column hardly.
func cutLast(text, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// apply runs an instance with its HTTP.
func (a *app) apply(ctx context.Context, f *applyFlags, cfg apply.Config) error {
	line := &lineAndLog{line: progressLine{app: a}, log: a.errOut}
	defer line.leave()
	log, err := f.logger(line)
	if err != nil {
		return err
	}
	cfg.Logger = log
	var statements []string
	cfg.OnDDL = func(_, statement string) {
		statements = append(statements, statement)
		if !a.json {
			fmt.Fprintf(a.out, "%s;\n", printableLines(statement))
		}
	}
	cfg.OnProgress = func(p apply.Progress) { line.at(applyProgress(p)) }
	if a.lines = a.json && !cfg.Once && !cfg.DryRun; a.lines {
		status := &statusLines{app: a}
		cfg.OnProgress = func(p apply.Progress) { status.show(applyLine(cfg.Service, p)) }
	}
	// What is wrong with the flags is said before a connection is tried.
	if _, err := apply.New(cfg); err != nil {
		return foundOf(cfg.Service, err)
	}
	conn, err := a.connectService(cfg.Service, log)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	cfg.NATS = replhub.Config{Conn: conn.nc, Domain: conn.domain, Timeout: a.timeout, Logger: log}
	runner, err := apply.New(cfg)
	if err != nil {
		return err
	}
	summary, err := a.applied(ctx, f, cfg, runner, conn, log)
	line.leave()
	return a.showApplied(cfg, summary, statements, err)
}

// showApplied prints what a run has done.
func (a *app) showApplied(cfg apply.Config, s apply.Summary, statements []string, err error) error {
	dead, ofLetters := errors.AsType[*apply.DeadLettersError](err)
	if err != nil && !ofLetters {
		return foundOf(cfg.Service, err)
	}
	reply := applyReply{Summary: s, Statements: statements, Seconds: s.Took.Round(time.Millisecond).Seconds(), Unwritten: cfg.DryRun}
	show := func(w io.Writer) error { return showSummary(w, cfg, s) }
	switch {
	case ofLetters:
		e := incompletef(codePartly, "%v", dead)
		if e.reply, err = json.Marshal(reply); err != nil {
			return err
		}
		return a.incomplete(e, show)
	case a.json:
		if a.lines {
			reply.State = statusStopped
		}
		return a.printValue(reply)
	default:
		return show(a.out)
	}
}

// applyReply is the JSON of a run.
type applyReply struct {
	// State is statusStopped behind lines of the status.
	State string `json:"state,omitempty"`

	apply.Summary

	Statements []string `json:"statements,omitempty"`
	Seconds    float64  `json:"seconds"`
	// Unwritten says that it was a dry run.
	Unwritten bool `json:"dry_run,omitempty"`
}

// foundOf is an error of a run, with what was found as JSON.
func foundOf(service string, err error) error {
	found, ok := errors.AsType[*apply.FindingsError](err)
	if !ok {
		return err
	}
	e := incompletef(codeFailed, "%v", found)
	reply, jsonErr := json.Marshal(map[string]any{"service": service, "findings": found.All})
	if jsonErr != nil {
		return err
	}
	e.reply = reply
	return e
}

func showSummary(w io.Writer, cfg apply.Config, s apply.Summary) error {
	if cfg.DryRun {
		return showPlan(w, s)
	}
	t := newTable("ENTITY", "TABLE", "APPLIED", "DELETES", "PASSED", "DEAD")
	for i := range s.Tables {
		one := &s.Tables[i]
		t.row(one.Entity, one.Table, count(one.Applied), count(one.Deleted), count(one.Passed), count(one.DeadLetters))
	}
	if err := t.print(w); err != nil {
		return err
	}
	end := "stopped"
	if cfg.Once {
		end = "caught up"
	}
	_, err := fmt.Fprintf(w, "\n%s after %s; %s\n", end, humanDuration(s.Took), plural(s.DeadLetters, "dead letter"))
	return err
}

// showPlan lists the columns of the tables that exist, and what they would take.
func showPlan(w io.Writer, s apply.Summary) error {
	t := newTable("ENTITY", "TABLE", "COLUMN", "TAKES")
	for i := range s.Tables {
		one := &s.Tables[i]
		if one.Key == "" {
			continue
		}
		t.row(one.Entity, one.Table, one.Key, "(the key)")
		for _, c := range one.Columns {
			t.row(one.Entity, one.Table, c.Column, c.Member)
		}
	}
	if len(t.rows) > 1 {
		if err := t.print(w); err != nil {
			return err
		}
	}
	for _, change := range s.Changes {
		if _, err := fmt.Fprintf(w, "the registration would be changed: %s\n", change); err != nil {
			return err
		}
	}
	if s.Unsampled == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, s.Unsampled)
	return err
}

// lineAndLog keeps the line of progress and the lines of the log apart, which are on
// the same terminal. It is for concurrent use.
type lineAndLog struct {
	mu   sync.Mutex // guards the rest
	line progressLine
	log  io.Writer
}

// Write writes a line of the log.
func (l *lineAndLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.leave()
	return l.log.Write(p)
}

func (l *lineAndLog) at(p progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.at(p)
}

func (l *lineAndLog) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.leave()
}

// applyProgress is how far an instance is.
func applyProgress(p apply.Progress) progress {
	return progress{
		What: "apply", Done: p.Applied, Of: p.Applied + p.Left, Unit: "change", PerSecond: p.Rate, RemainingSeconds: p.Remaining.Seconds(), Note: p.Waits,
		line: progressText(p),
	}
}

// progressText is a line of progress.
func progressText(p apply.Progress) string {
	parts := []string{fmt.Sprintf("%s applied, %.0f/s", count(p.Applied), p.Rate)}
	if len(p.Filling) > 0 {
		slices.Sort(p.Filling)
		parts = append(parts, fmt.Sprintf("copying %s: %s", strings.Join(slices.Compact(p.Filling), ", "), rowsText(p.Rows, p.Total)))
	}
	if p.Left > 0 {
		left := count(p.Left) + " left"
		if p.Remaining > 0 {
			left += ", " + humanDuration(p.Remaining.Round(time.Second))
		}
		parts = append(parts, left)
	}
	if p.Waits != "" {
		parts = append(parts, "waits: "+p.Waits)
	}
	return strings.Join(parts, "; ")
}
