package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newCapture(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "capture",
		GroupID: groupBridges,
		Short:   "Publish the changes of a database as events, without code",
		Long: `Publish each committed change of the tables of a database as an event, and serve the
rows of the tables to snapshots and backfills. The service that owns the database needs
no change. docs/capture.md is the guide.`,
		Example: `  replhub capture postgres --service user-profile --table public.users=user`,
		Args:    cobra.NoArgs,
		RunE: a.verb(func(context.Context, []string) error {
			return usagef("state the database: 'replhub capture postgres' is the only one")
		}),
	}
	cmd.AddCommand(newCapturePostgres(a))
	return cmd
}
