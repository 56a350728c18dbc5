package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/contract"
)

// codeDifferent is the code of a replica that is not equal to its owner's rows.
const codeDifferent contract.Code = "different"

// verifyFlags are the flags of verify.
type verifyFlags struct {
	dsn, dsnFile, inbox            string
	tables, mapped, ignored, keyed []string
	repair, values                 bool
	settle, wait                   time.Duration
	rows                           int
}

func newVerify(a *app) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:     "verify <service> --dsn <replica> --table entity=table...",
		GroupID: groupServices,
		Short:   "Compare a replica with its owner's rows, and repair it",
		Long: `Compare the rows that the owner of an entity has with the rows of a replica, as the
service gets them: with its filter, its fields and what the owner's policy allows. Both
may change meanwhile. A row that differs is looked at again after the changes under way
are applied, so the instances of the service must run. Columns are matched as 'replhub
apply' matches them. Connect with the credentials of the service.

With --repair, exactly the rows that differ are sent again through the service's stream,
and a row that the owner does not have is deleted. Then these rows are compared again.

Exit codes: 0 equal, 1 different or not compared in full, 2 wrong usage, 3 could not be compared.`,
		Example: `  replhub verify sharing --dsn "$REPLICA" --table user=people
  replhub verify sharing --dsn "$REPLICA" --table user=people --repair
  replhub verify sharing --dsn sqlite:replica.db --table user=people --map user.address.city=city --values`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			cfg, err := f.config(args[0])
			if err != nil {
				return err
			}
			return a.verify(ctx, cfg, &f)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dsn, "dsn", "", "the replica's database: a URL, or the driver's own form ($DATABASE_URL)")
	flags.StringVar(&f.dsnFile, "dsn-file", "", "file that holds the DSN")
	flags.StringArrayVar(&f.tables, "table", nil, "entity=table; repeated")
	flags.StringArrayVar(&f.mapped, "map", nil, "entity.path=column, for a column whose member has another name; repeated")
	flags.StringArrayVar(&f.ignored, "ignore", nil, "entity.column that is not compared; repeated")
	flags.StringArrayVar(&f.keyed, "key", nil, "entity=column of the key, where it is not the primary key; repeated")
	flags.StringVar(&f.inbox, "inbox", "", "the table of the service's inbox (default the table that 'replhub apply' uses)")
	flags.BoolVar(&f.repair, "repair", false, "send the rows that differ again, and delete those that the owner does not have")
	flags.BoolVar(&f.values, "values", false, "also show the values of columns that differ")
	flags.DurationVar(&f.settle, "settle", 3*time.Second, "how long a difference must last before it counts; longer than the owner takes to publish a change")
	flags.DurationVar(&f.wait, "wait", time.Minute, "maximum wait for changes that are under way")
	flags.IntVar(&f.rows, "rows", 1000, "number of differing rows that are shown")
	return cmd
}

// config makes of the flags what apply takes.
func (f *verifyFlags) config(service string) (apply.Config, error) {
	cfg := apply.Config{Service: service, DSN: f.dsn, DSNFile: f.dsnFile, Inbox: f.inbox, Logger: slog.New(slog.DiscardHandler)}
	if f.dsn == "" && f.dsnFile == "" {
		cfg.DSN = os.Getenv("DATABASE_URL")
	}
	of := map[string]*apply.Table{}
	for _, text := range f.tables {
		entity, table, ok := strings.Cut(text, "=")
		if !ok {
			return cfg, usagef("--table %q: want entity=table", text)
		}
		cfg.Tables = append(cfg.Tables, apply.Table{Entity: entity, Table: table, Columns: map[string]string{}})
	}
	for n := range cfg.Tables {
		of[cfg.Tables[n].Entity] = &cfg.Tables[n]
	}
	for _, set := range []struct {
		flag  string
		texts []string
		apply func(t *apply.Table, name, value string)
		parts string
	}{
		{"--map", f.mapped, func(t *apply.Table, path, column string) { t.Columns[column] = path }, ".="},
		{"--ignore", f.ignored, func(t *apply.Table, column, _ string) { t.Ignore = append(t.Ignore, column) }, "."},
		{"--key", f.keyed, func(t *apply.Table, _, column string) { t.Key = column }, "="},
	} {
		for _, text := range set.texts {
			entity, name, value, ok := partsOf(text, set.parts)
			if !ok || of[entity] == nil {
				return cfg, usagef("%s %q: see --help for its form; the entity must be one of --table", set.flag, text)
			}
			set.apply(of[entity], name, value)
		}
	}
	if _, err := apply.New(cfg); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

// partsOf parts a text into an entity, what follows a dot, and what follows an equals sign.
func partsOf(text, marks string) (entity, name, value string, ok bool) {
	entity, ok = text, true
	if strings.Contains(marks, "=") {
		entity, value, ok = strings.Cut(text, "=")
	}
	if ok && strings.Contains(marks, ".") {
		entity, name, ok = strings.Cut(entity, ".")
	}
	return entity, name, value, ok
}

// notComparedError is the error of a comparison that has no result.
type notComparedError struct{ error }

func (e *notComparedError) Unwrap() error { return e.error }

// verify compares each table, and reports all.
func (a *app) verify(ctx context.Context, cfg apply.Config, f *verifyFlags) error {
	report, err := a.compare(ctx, cfg, f)
	if err != nil {
		return &notComparedError{err}
	}
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	if report.Equal {
		if a.json {
			return a.printJSON(text)
		}
		return report.show(a.out, f.values)
	}
	different := incompletef(codeDifferent, "%s", report.verdict())
	different.reply = text
	return a.incomplete(different, func(w io.Writer) error { return report.show(w, f.values) })
}

func (a *app) compare(ctx context.Context, cfg apply.Config, f *verifyFlags) (*verifyReport, error) {
	l, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer l.close()
	client, err := replhub.Connect(ctx, replhub.Config{Conn: l.nc, Service: cfg.Service, Timeout: a.timeout, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	replicas, err := apply.OpenReplicas(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = replicas.DB.Close() }() // only rows were read
	report := &verifyReport{Service: cfg.Service, Equal: true, Tables: []verifiedTable{}}
	for _, r := range replicas.Tables {
		one, err := a.compareTable(ctx, client, replicas, r, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Entity, err)
		}
		report.Tables = append(report.Tables, *one)
		report.Equal = report.Equal && one.equal()
	}
	return report, nil
}

func (a *app) compareTable(ctx context.Context, client *replhub.Client, all *apply.Replicas, r apply.Replica, f *verifyFlags) (*verifiedTable, error) {
	line := &progressLine{app: a}
	defer line.leave()
	cfg := inbox.VerifyConfig{
		Client: client, Entity: r.Entity, Settle: f.settle, Wait: f.wait, Rows: f.rows,
		Progress: func(p inbox.VerifyProgress) { line.at(comparison(r.Entity, p, time.Now())) },
	}
	found, err := r.Table.Verify(ctx, all.DB, cfg)
	if err != nil {
		return nil, err
	}
	one := &verifiedTable{Verified: *found, Seconds: found.Took.Seconds()}
	if f.repair && len(found.Keys) > 0 {
		after, err := r.Table.Repair(ctx, all.DB, cfg, found.Keys)
		if err != nil {
			return nil, err
		}
		one.Repaired = len(found.Keys) - len(after.Keys) - after.Moving
		one.After = after
		if !f.values {
			withoutValues(after.Differences)
		}
	}
	if !f.values {
		withoutValues(one.Differences)
	}
	return one, nil
}

func withoutValues(all []inbox.Difference) {
	for _, d := range all {
		for n := range d.Columns {
			d.Columns[n].Owner, d.Columns[n].Replica = nil, nil
		}
	}
}
