package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newResume(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "resume <service>",
		GroupID:           groupServices,
		Short:             "End the pause of a service's workers",
		Long:              `End a pause. The service's workers continue with the next copy.`,
		Example:           `  replhub resume sharing`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbResume, args[0], noRequest{}, showPaused)
		}),
	}
}
