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
		Short:             "Start a service's paused workers again",
		Long:              `End a pause: the service's workers get work again, from where they stopped.`,
		Example:           `  replhub resume sharing`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchange(ctx, a, contract.VerbResume, args[0], noRequest{}, showPaused)
		}),
	}
}
