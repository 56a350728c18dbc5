package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newWho(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "who <entity>",
		GroupID: groupServices,
		Short:   "List the services that want an entity",
		Long:    `List the services that are registered for an entity, and the interest of each.`,
		Example: `  replhub who user
  replhub who user --json | jq -r '.services[].service'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completed(false, knownEntities),
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchangePages(ctx, a, whoPages(args[0]), showWho)
		}),
	}
}

func showWho(w io.Writer, r *contract.Interested) error {
	if len(r.Services) == 0 {
		_, err := fmt.Fprintf(w, "no service wants %s\n", printable(r.Entity))
		return err
	}
	return interestTable(r.Services, true).print(w)
}
