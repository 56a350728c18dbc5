package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/capture"
	"github.com/replhub/replhub/hub/doctor"
)

// The checks of databases.
const (
	checkReachable = "database.reachable"
	checkFits      = "database.fits"
)

func newDoctorCapture(a *app) *cobra.Command {
	var f captureFlags
	cmd := &cobra.Command{
		Use:   "capture --service S --table schema.table=entity",
		Short: "Check a database that is to be captured",
		Long: `Check the PostgreSQL that 'replhub capture postgres' is to read, with the same flags,
variables and file: its settings, the role's rights, the tables, their keys and types,
the publication and the slot. Nothing is made or changed, and NATS is not needed.`,
		Example: `  replhub doctor capture --service user-profile --table public.users=user`,
		Args:    cobra.NoArgs,
	}
	f.registerAll(cmd)
	cmd.RunE = a.verb(func(ctx context.Context, _ []string) error {
		if f.cfg.Service == "" {
			return usagef("whose tables are they? name the service with --service")
		}
		cfg := f.cfg
		cfg.Logger = slog.New(slog.DiscardHandler)
		c, err := capture.New(cfg)
		if err != nil {
			return usagef("%v", err)
		}
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		found, tables, err := c.Check(ctx)
		return a.showReport(captureReport(found, tables, err), true)
	})
	return cmd
}

// captureReport is the report of a check before a capture.
func captureReport(found capture.Findings, tables []capture.Table, err error) *doctor.Report {
	r := &doctor.Report{}
	if err != nil {
		r.Add(unreachable(err))
		return r
	}
	r.Add(doctor.Finding{Level: doctor.Pass, Group: doctor.GroupDatabase, Check: checkReachable, Message: "the database answers"})
	ill := map[string]bool{}
	for _, one := range found {
		level := doctor.Fail
		if one.Warning {
			level = doctor.Warn
		}
		ill[one.About] = true
		r.Add(doctor.Finding{
			Level: level, Group: doctor.GroupDatabase, Check: checkFits, About: one.About, Message: one.Message,
			Do: strings.Join(one.Statements, "\n"),
		})
	}
	for _, t := range tables {
		if !ill[t.Name] && !ill["table "+t.Name] {
			r.Add(doctor.Finding{Level: doctor.Pass, Group: doctor.GroupDatabase, Check: checkFits, About: t.Name, Message: "it can be captured as " + t.Entity})
		}
	}
	return r
}

func unreachable(err error) doctor.Finding {
	return doctor.Finding{
		Level: doctor.Fail, Group: doctor.GroupDatabase, Check: checkReachable, Message: fmt.Sprintf("the database cannot be asked: %v", err),
		Do: "check the DSN, the user and its password, and that the server runs",
	}
}

func newDoctorApply(a *app) *cobra.Command {
	f := &applyFlags{}
	cmd := &cobra.Command{
		Use:   "apply <service> --dsn <database> --table <entity>=<table>...",
		Short: "Check a database that is to be written to",
		Long: `Check the database that 'replhub apply' is to write to, with the same flags, variables
and file: the user's rights, the tables, their keys, types and collations. Nothing is
made or changed, and NATS is not needed.`,
		Example:           `  replhub doctor apply sharing --dsn "$REPLICA" --table user=people`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
	}
	f.register(cmd)
	f.bridgeFlags.register(cmd, defaultApplyAddr, true)
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		cfg, err := f.config(cmd.Flags(), args[0])
		if err != nil {
			return err
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		found, err := apply.Check(ctx, cfg)
		if wrong, ok := errors.AsType[*apply.FindingsError](err); ok {
			return usagef("%v", wrong)
		}
		return a.showReport(applyReport(cfg, found, err), true)
	})
	return cmd
}

// applyReport is the report of a check before an apply.
func applyReport(cfg apply.Config, found []string, err error) *doctor.Report {
	r := &doctor.Report{}
	if err != nil {
		r.Add(unreachable(err))
		return r
	}
	r.Add(doctor.Finding{Level: doctor.Pass, Group: doctor.GroupDatabase, Check: checkReachable, Message: "the database answers"})
	for _, text := range found {
		r.Add(doctor.Finding{Level: doctor.Fail, Group: doctor.GroupDatabase, Check: checkFits, Message: text})
	}
	if len(found) > 0 {
		return r
	}
	for _, t := range cfg.Tables {
		r.Add(doctor.Finding{Level: doctor.Pass, Group: doctor.GroupDatabase, Check: checkFits, About: t.Table, Message: "it can take the rows of " + t.Entity})
	}
	return r
}
