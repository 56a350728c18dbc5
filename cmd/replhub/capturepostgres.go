package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/capture"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/internal/contract"
)

// captureFlags are the flags of replhub capture postgres.
type captureFlags struct {
	bridgeFlags

	cfg   capture.Config
	check bool
}

func newCapturePostgres(a *app) *cobra.Command {
	var f captureFlags
	cmd := &cobra.Command{
		Use:   "postgres --service S --table schema.table=entity",
		Short: "Publish the changes of tables of PostgreSQL as events",
		Long: `Publish each committed change of tables of PostgreSQL (14 to 17, wal_level=logical) as
an event: once, in the order of the commits, with the whole row as JSON. Each row's key is
its primary key. What stands in the way is said before anything is made, with the
statements that mend it. Publication and slot are made if they are missing. A second
process waits as a standby.

A pattern such as public.*, or public.order_*=order, names several tables, also those
that are created later. docs/capture.md has the rules for keys, types and rights.

Each flag can be stated in a YAML file (--config) as a member of its name with _ in
place of -, and as a variable REPLHUB_CAPTURE_<FLAG>. A flag has precedence over the
variable, and the variable over the file. The DSN is better in DATABASE_URL, because
other users can read command lines. The log goes to stderr.`,
		Example: `  export DATABASE_URL=postgres://owner@localhost/app
  replhub capture postgres --service user-profile --table public.users=user --exclude public.users.password_hash
  replhub capture postgres --service user-profile --table 'public.*' --check`,
		Args: cobra.NoArgs,
	}
	f.registerAll(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "only say what stands in the way, and which tables would be captured; the exit code is 1 if something does")
	cmd.RunE = a.verb(func(ctx context.Context, _ []string) error { return a.capture(ctx, &f) })
	return cmd
}

// registerAll adds the flags that say what is captured, and those that all bridges have.
func (f *captureFlags) registerAll(cmd *cobra.Command) {
	f.register(cmd, "127.0.0.1:8281", false)
	flags := cmd.Flags()
	flags.StringVar(&f.cfg.DSN, "dsn", "", "address of the primary server, as a URL or as keywords and values ($DATABASE_URL)")
	flags.StringVar(&f.cfg.Service, "service", "", "name of the service that owns the tables: the origin of the events")
	flags.StringArrayVar(&f.cfg.Tables, "table", nil, "table as schema.table=entity; * stands for any characters; may be repeated")
	flags.StringArrayVar(&f.cfg.Exclude, "exclude", nil, "column that no event has, as schema.table.column; may be repeated")
	flags.StringArrayVar(&f.cfg.Keys, "key", nil, "columns of a table's key, as schema.table=column,column (default its primary key); may be repeated")
	flags.StringArrayVar(&f.cfg.Outboxes, "outbox", nil, "outbox table, each inserted row of which is an event, as schema.table (that of package outbox), schema.table=debezium, or schema.table=entity=column,key=column,op=column,payload=column; may be repeated")
	flags.BoolVar(&f.cfg.DeleteOutbox, "outbox-delete", false, "delete the rows of the outbox tables once their events are stored (default: they are left to the service)")
	flags.StringVar(&f.cfg.Slot, "slot", "", "name of the replication slot (default replhub_<service>)")
	flags.StringVar(&f.cfg.Publication, "publication", "", "name of the publication (default replhub_<service>)")
	flags.BoolVar(&f.cfg.NoEmitted, "no-emitted", false, "leave out the events that transactions write into the log by pg_logical_emit_message")
	flags.BoolVar(&f.cfg.Resync, "resync", false, "make the slot again first and publish every row again with versions that win, after a slot was lost or a database was restored; state it once, not in a unit file")
	flags.BoolVar(&f.cfg.Dismiss, "dismiss", false, "clear the alarms of before, once they are mended: tables that were truncated or altered, and changes that were left out; state it once, not in a unit file")
}

// capture runs until ctx ends.
func (a *app) capture(ctx context.Context, f *captureFlags) error {
	if f.cfg.Service == "" {
		return usagef("--service is missing: name the service that owns the tables")
	}
	line := &lineAndLog{line: progressLine{app: a}, log: a.errOut}
	defer line.leave()
	log, err := f.logger(line)
	if err != nil {
		return err
	}
	cfg := f.cfg
	cfg.Logger = log
	began := time.Now()
	cfg.OnResync = func(rows uint64) {
		line.at(progress{What: "publish all rows again", Done: rows, Unit: "row"}.paced(time.Since(began)))
	}
	if f.check {
		return a.checkCapture(ctx, cfg)
	}
	if _, err := capture.New(cfg); err != nil { // before anything is connected
		return usagef("%v", err)
	}
	listener, err := f.listen(ctx)
	if err != nil {
		return err
	}
	if listener != nil {
		defer func() { _ = listener.Close() }()
	}
	conn, err := a.connectService(cfg.Service, log)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	cfg.Conn, cfg.Domain = conn.nc, conn.domain
	c, err := capture.New(cfg)
	if err != nil {
		return err
	}
	figures := &captureFigures{metrics: bridge.NewMetrics(buildVersion(), contract.CaptureMetrics()), capture: c, shown: map[string]uint64{}}
	ops := &bridge.Ops{
		Command: "capture", Service: cfg.Service, NotReady: func() contract.NotReady { return captureNotReady(conn.nc.IsConnected(), c.Status()) },
		Degraded: c.Degraded, Metrics: figures.metrics, Refresh: figures.refresh, Token: f.http.Token(), Logger: log,
	}
	addr := httpNone
	if listener != nil {
		addr = listener.Addr().String()
	}
	log.Info("capture begins", "service", cfg.Service, "http", addr, "version", buildVersion())
	err = ops.Run(ctx, listener, f.drain, c.Run)
	return a.captured(cfg.Service, c.Status(), err, log)
}

// captured says what a capture that ends did.
func (a *app) captured(service string, s capture.Status, err error, log *slog.Logger) error {
	if preflight, ok := errors.AsType[*capture.PreflightError](err); ok {
		return a.unready(preflight)
	}
	log.Info("capture ends", "service", service, "events", s.Events, "transactions", s.Transactions)
	return err
}

// captureCheck is what --check prints as JSON.
type captureCheck struct {
	Tables   []capture.Table   `json:"tables"`
	Findings []capture.Finding `json:"findings"`
}

// checkCapture prints what a check finds.
func (a *app) checkCapture(ctx context.Context, cfg capture.Config) error {
	c, err := capture.New(cfg)
	if err != nil {
		return usagef("%v", err)
	}
	findings, tables, err := c.Check(ctx)
	if err != nil {
		return err
	}
	if a.json && !findings.Failed() {
		return a.printValue(captureCheck{tables, append([]capture.Finding{}, findings...)})
	}
	if !a.json {
		if err := showCheck(a.out, findings, tables); err != nil {
			return err
		}
	}
	if findings.Failed() {
		return a.unready(&capture.PreflightError{Findings: findings})
	}
	return nil
}

func showCheck(w io.Writer, findings capture.Findings, tables []capture.Table) error {
	for _, t := range tables {
		if t.Outbox {
			if _, err := fmt.Fprintf(w, "each row that is inserted into %s is an event\n", printable(t.Name)); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(w, "%s is captured as %s\n", printable(t.Name), printable(t.Entity)); err != nil {
			return err
		}
	}
	if findings.Failed() {
		return nil // told as the error
	}
	_, err := fmt.Fprint(w, printableLines(findings.String()))
	return err
}

// unready is the error of findings that stand in the way. Where they are printed already,
// it is short.
func (a *app) unready(err *capture.PreflightError) error {
	if !a.json {
		if _, printErr := fmt.Fprint(a.errOut, printableLines(err.Findings.String())); printErr != nil {
			return printErr
		}
	}
	return failf(codeFailed, "the database is not ready to be captured; nothing was made or changed")
}

// captureNotReady is why no event flows.
func captureNotReady(connected bool, s capture.Status) contract.NotReady {
	switch {
	case !connected || s.NATSAway:
		return contract.NotReadyNATS
	case s.State == "standby":
		return contract.NotReadyStandby
	case s.State == "starting":
		return contract.NotReadyStarting
	default:
		return ""
	}
}
