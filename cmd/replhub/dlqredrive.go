package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newDLQRedrive(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "redrive <service> <sequence>... | --all",
		Short: "Give dead letters back to their service",
		Long: `Append the events of dead letters to their service's stream again, with the filter
and fields that are registered now. A redriven dead letter is removed from the stream DLQ.
The output names each dead letter that stays, with the reason. The exit code is 1 if
one stays, or if none was redriven.`,
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
				return usagef("state the sequences of the dead letters, or --all")
			}
			return a.redrive(ctx, args[0], contract.Redrive{Seqs: seqs, All: all})
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters of the service")
	return cmd
}

// notRedriven is the error of a reply that leaves letters where they are.
func notRedriven(r *contract.Redriven) *incomplete {
	switch {
	case r.Redriven == 0 && len(r.Left) == 0 && !r.More:
		return incompletef(contract.CodeNotFound, "%s has no dead letters", r.Service)
	case r.Redriven == 0 && len(r.Left) > 0:
		return incompletef(codeFailed, "nothing was redriven: %s", stays(r.Left))
	case len(r.Left) > 0:
		return incompletef(codePartly, "not all was redriven: %s", stays(r.Left))
	default:
		return nil
	}
}

// stays names the first letter that stays, and says how many do besides: the
// reply has all.
func stays(left []contract.RedriveLeft) string {
	first := fmt.Sprintf("dead letter %d stays: %s", left[0].Seq, printable(left[0].Message))
	if len(left) == 1 {
		return first
	}
	return fmt.Sprintf("%s; and %d more", first, len(left)-1)
}

func showRedriven(w io.Writer, r *contract.Redriven) error {
	if _, err := fmt.Fprintf(w, "%s: redrove %s\n", r.Service, plural(r.Redriven, "dead letter")); err != nil {
		return err
	}
	for _, left := range r.Left {
		if _, err := fmt.Fprintf(w, "dead letter %d stays: %s\n", left.Seq, left.Message); err != nil {
			return err
		}
	}
	if r.More {
		_, err := fmt.Fprintln(w, "there are more; run it again")
		return err
	}
	return nil
}
