package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newRewind(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "rewind <service> <time|ago|sequence>",
		GroupID: groupServices,
		Short:   "Deliver copies to a service's workers again",
		Long: `Deliver copies to a service's workers again, from an earlier place on: an RFC 3339
time, a duration before now such as 5m, or the sequence of an event. The workers get
copies that they have already handled, so their handlers must be idempotent. The command is
refused if the service's stream does not reach back to that place, and if the place
is ahead of the workers or in the future.`,
		Example: `  replhub rewind sharing 2026-11-22T08:00:00Z
  replhub rewind sharing 5m --dry-run
  replhub rewind sharing 1042`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbRewind, args[0], contract.Rewind{To: contract.Start(args[1]), DryRun: dryRun}, showRewound)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what a rewind would do, and change nothing")
	return cmd
}

func showRewound(w io.Writer, r *contract.Rewound) error {
	from := fmt.Sprintf("from event %d", r.Seq)
	if r.Seq == 0 {
		from = "with the next event; the stream holds none from there on"
	}
	verb := "start"
	if r.DryRun {
		verb = "would start"
	}
	_, err := fmt.Fprintf(w, "%s: workers %s again %s; %s again (%s)\n",
		r.Service, verb, from, plural(r.Redelivered, "event"), list(r.Consumers, "no consumers"))
	return err
}
