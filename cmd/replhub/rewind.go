package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newRewind(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rewind <service> <time|ago|sequence>",
		GroupID: groupServices,
		Short:   "Have a service's workers start again from earlier",
		Long: `Have a service's workers start again from an RFC 3339 time, from so long ago as
in 5m, or from the sequence of an event. They get what they have handled again: apply it idempotently. It is
refused when the service's stream does not reach back so far, and when it would
go forwards: to what lies ahead of the workers, or in the future.`,
		Example: `  replhub rewind sharing 2026-11-22T08:00:00Z
  replhub rewind sharing 5m
  replhub rewind sharing 1042`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbRewind, args[0], contract.Rewind{To: contract.Start(args[1])}, showRewound)
		}),
	}
}

func showRewound(w io.Writer, r *contract.Rewound) error {
	from := fmt.Sprintf("from event %d", r.Seq)
	if r.Seq == 0 {
		from = "with the next event; the stream holds none from there on"
	}
	_, err := fmt.Fprintf(w, "%s: workers start again %s; %s again (%s)\n",
		r.Service, from, plural(r.Redelivered, "event"), list(r.Consumers, "no consumers"))
	return err
}
