package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newPause(a *app) *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{
		Use:     "pause <service>",
		GroupID: groupServices,
		Short:   "Pause the delivery to a service's workers",
		Long: `Deliver no copies to a service's workers for a time. The hub goes on copying events
into the service's stream. 'replhub resume' ends the pause early.`,
		Example: `  replhub pause sharing --for 30m
  replhub resume sharing`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbPause, args[0], contract.Pause{For: contract.Duration(length)}, showPaused)
		}),
	}
	cmd.Flags().DurationVar(&length, "for", time.Hour, "length of the pause")
	return cmd
}

// showPaused prints the reply of both pause and resume.
func showPaused(w io.Writer, r *contract.Paused) error {
	state := "workers run"
	if r.PausedUntil != nil {
		state = "workers are paused until " + humanTime(*r.PausedUntil)
	}
	_, err := fmt.Fprintf(w, "%s: %s (%s)\n", r.Service, state, list(r.Consumers, "no consumers"))
	return err
}
