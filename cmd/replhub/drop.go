package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newDrop(a *app) *cobra.Command {
	var yes, lost bool
	cmd := &cobra.Command{
		Use:     "drop <service>",
		GroupID: groupServices,
		Short:   "Delete a service's stream and everything in it",
		Long: `Delete a service's stream, its consumers, and every copy that no worker has handled.
The command is refused while the service has interests: unregister them first.

With --lost, give up a service whose stream cannot be read any more, because the
servers that stored it are gone for good or somebody deleted it. The interests of
the service end, and no event is kept for the service any longer.`,
		Example: `  replhub unregister sharing && replhub drop sharing
  replhub drop sharing --yes
  replhub drop sharing --lost`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			if !yes {
				question := "Delete the stream of %s with all that it holds?"
				if lost {
					question = "Give up the stream of %s, and every event that it has not received?"
				}
				if err := a.confirm(fmt.Sprintf(question, args[0])); err != nil {
					return err
				}
			}
			return exchange(ctx, a, contract.VerbDrop, args[0], contract.Drop{Lost: lost}, showDropped)
		}),
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&lost, "lost", false, "give up a stream that cannot be read any more")
	return cmd
}

func showDropped(w io.Writer, r *contract.Dropped) error {
	_, err := fmt.Fprintf(w, "%s: dropped %s\n", r.Service, r.Stream)
	return err
}

// confirm asks the person at the terminal. Without one nobody can be asked, and
// what cannot be undone is not done.
func (a *app) confirm(question string) error {
	if !a.isTerminal(a.in) {
		return usagef("there is no terminal to ask for confirmation: give --yes")
	}
	if _, err := fmt.Fprintf(a.errOut, "%s [y/N] ", question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("not confirmed: there is no answer (%w); give --yes to do it without asking", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return fmt.Errorf("not confirmed: nothing was done")
	}
}
