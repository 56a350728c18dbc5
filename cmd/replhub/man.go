package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan makes the verb that packages are built with. It is hidden: who has the binary
// reads --help.
func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "man <folder>",
		Hidden: true,
		Short:  "Write the manual pages",
		Long: `Write a manual page for each command into a folder, which is created if it is missing.
The pages have the date of the build's commit, or that of SOURCE_DATE_EPOCH, so that the
same source makes the same pages.`,
		Example: `  replhub man ./man1`,
		Args:    cobra.ExactArgs(1),
		RunE: a.verb(func(_ context.Context, args []string) error {
			return writeMan(args[0])
		}),
	}
}

// writeMan writes the pages of all commands.
func writeMan(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // others read manual pages
		return err
	}
	root := newRoot(&app{})
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true // its date would be that of the run
	forMan(root)
	header := &doc.GenManHeader{Section: "1", Source: "replhub " + buildVersion(), Manual: "replhub", Date: commitDate()}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return nil
}

// commitDate is when the source was committed; nil where the build does not say, which
// leaves the date to SOURCE_DATE_EPOCH.
func commitDate() *time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok || os.Getenv("SOURCE_DATE_EPOCH") != "" {
		return nil
	}
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return &at
		}
	}
	return nil
}

// forMan rewrites the texts of a command and of those below it as the Markdown that the
// generator takes them for.
func forMan(cmd *cobra.Command) {
	cmd.Long = markdown(cmd.Long)
	for _, sub := range cmd.Commands() {
		forMan(sub)
	}
}

// markdown makes Markdown of a help text: indented lines, such as tables, stay lines, and
// no character is markup.
func markdown(text string) string {
	var out strings.Builder
	indented := false
	for line := range strings.Lines(text) {
		if blank := strings.TrimSpace(line) == ""; !blank && (strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")) != indented {
			indented = !indented
			out.WriteByte('\n')
		}
		if indented {
			out.WriteString("  " + line) // four spaces are code
			continue
		}
		out.WriteString(markup().Replace(line))
	}
	return out.String()
}

func markup() *strings.Replacer {
	return strings.NewReplacer("<", "\\<", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[")
}
