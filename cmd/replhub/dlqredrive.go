package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/wire"
)

func newDLQRedrive(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "redrive <service> <sequence>... | --all",
		Short: "Give dead letters back to their service",
		Long: `Put the events of dead letters into their service's stream again, as it is
registered now. A letter that was redriven is gone.`,
		Example: `  replhub dlq redrive sharing 17 18
  replhub dlq redrive sharing --all`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			seqs, err := parseSeqs(args[1:])
			if err != nil {
				return err
			}
			if all == (len(seqs) > 0) {
				return usagef("which letters? give their sequences or --all")
			}
			return a.redrive(ctx, args[0], wire.Redrive{Seqs: seqs, All: all})
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all letters of the service")
	return cmd
}

func showRedriven(w io.Writer, r *wire.Redriven) error {
	if _, err := fmt.Fprintf(w, "%s: redrove %s\n", r.Service, plural(r.Redriven, "letter")); err != nil {
		return err
	}
	for _, left := range r.Left {
		if _, err := fmt.Fprintf(w, "letter %d stays: %s\n", left.Seq, left.Message); err != nil {
			return err
		}
	}
	if r.More {
		_, err := fmt.Fprintln(w, "there are more; run it again")
		return err
	}
	return nil
}
