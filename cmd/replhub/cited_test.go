package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Each command that a page or a help text cites has the verbs and the flags that are
// cited with it.
func TestCitedCommandsHaveTheirFlags(t *testing.T) {
	root := newRoot(&app{})
	root.InitDefaultHelpFlag()
	root.InitDefaultCompletionCmd()
	command := regexp.MustCompile("(?m)(?:[`']|^ {2,}(?:\\$ )?|[A-Z_]+=\\S+ |run \\./cmd/|&& |echo .* \\| )replhub ((?:[a-z]+|-)[^`\n]*)")
	cited := 0
	for where, text := range citingTexts(t, root) {
		for _, found := range command.FindAllStringSubmatch(text, -1) {
			cited++
			checkCitation(t, root, where, strings.Fields(beforePipe(found[1])))
		}
	}
	if cited < 150 {
		t.Errorf("only %d commands found: the pages state them in another form", cited)
	}
}

// beforePipe cuts off what follows the command on its line, and the end of a quote in
// a help text.
func beforePipe(line string) string {
	for _, end := range []string{" | ", " > ", " && ", " #", "; ", "': ", "' ", "',", "'.", "')"} {
		line, _, _ = strings.Cut(line, end)
	}
	return line
}

func checkCitation(t *testing.T, root *cobra.Command, where string, words []string) {
	t.Helper()
	cmd := root
	for _, word := range words {
		word = strings.Trim(word, "[]().,'")
		if next := subcommand(cmd, word); next != nil {
			cmd = next
		}
		if name, is := strings.CutPrefix(word, "--"); is {
			name, _, _ = strings.Cut(name, "=")
			if !hasFlag(cmd, name) {
				t.Errorf("%s: %q has no flag --%s (cited as %q)", where, cmd.CommandPath(), name, strings.Join(words, " "))
			}
		}
	}
	if cmd == root && len(words) > 0 && regexp.MustCompile(`^[a-z]+$`).MatchString(words[0]) {
		t.Errorf("%s: there is no command replhub %s", where, words[0])
	}
}

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InitDefaultHelpFlag()
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil || name == "version" && !cmd.HasParent()
}

// Each flag that a page names alone is a flag of some verb, or of a tool that the
// page speaks of.
func TestCitedFlagsExist(t *testing.T) {
	root := newRoot(&app{})
	known := map[string]bool{
		"list": true, "force-confold": true, // of task and of dpkg
	}
	eachCommand(root, func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(flag *pflag.Flag) { known[flag.Name] = true })
		}
	})
	flag := regexp.MustCompile("`--([a-z-]+)")
	for where, text := range citingTexts(t, root) {
		for _, found := range flag.FindAllStringSubmatch(text, -1) {
			if !known[found[1]] {
				t.Errorf("%s: no verb has a flag --%s", where, found[1])
			}
		}
	}
}

// citingTexts are the pages, and the help texts of all verbs.
func citingTexts(t *testing.T, root *cobra.Command) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../llms.txt"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.DeleteFunc(names, func(name string) bool { return filepath.Base(name) == "CHANGELOG.md" }) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.Base(name)] = string(text)
		}
	}
	eachCommand(root, func(cmd *cobra.Command) {
		texts["help of "+cmd.CommandPath()] = cmd.Long + "\n" + cmd.Example
	})
	return texts
}

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, do)
	}
}
