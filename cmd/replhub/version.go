package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupHub,
		Short:   "Print this program's version",
		Long:    `Print the version of this program. 'replhub status' shows the version of a hub.`,
		Example: `  replhub version
  replhub version --json`,
		Args: cobra.NoArgs,
		RunE: a.verb(func(context.Context, []string) error {
			if a.json {
				return a.printValue(struct {
					Version string `json:"version"`
					Go      string `json:"go"`
				}{buildVersion(), runtime.Version()})
			}
			_, err := fmt.Fprintf(a.out, "replhub %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}),
	}
}

// buildVersion is the version that the go command has stamped into the binary:
// of the module, or of the commit it was built from; "(devel)" when neither.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
