package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newUnregister(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "unregister <service> [entity...]",
		GroupID: groupServices,
		Short:   "End a service's interest in entities, or in all",
		Long: `End a service's interest in the named entities, or in all. The service's stream and
the copies in it stay until 'replhub drop'.`,
		Example: `  replhub unregister sharing tenant
  replhub unregister sharing`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(true, knownServices, entitiesOfService),
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbUnregister, args[0], contract.Unregister{Entities: args[1:]}, showUnregistered)
		}),
	}
}

func showUnregistered(w io.Writer, r *contract.Unregistered) error {
	_, err := fmt.Fprintf(w, "%s: ended %s; still registered: %s\n", r.Service, list(r.Ended, "nothing"), list(r.Entities, "nothing"))
	return err
}
