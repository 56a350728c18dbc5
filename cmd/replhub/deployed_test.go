package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// deployed are the files of packages, containers and clusters, by their path.
func deployed(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	err := filepath.WalkDir("../../deploy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".sum") {
			return err
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil || len(texts) < 20 {
		t.Fatalf("%d files, %v", len(texts), err)
	}
	return texts
}

// Each variable that a deployed file names is one that the command reads.
func TestDeployedVariablesExist(t *testing.T) {
	known := knownVariables()
	for _, bridge := range bridgeCommands() {
		known = append(known, bridgePrefix(bridgeOf(bridge))+"CONFIG")
		known = append(known, strings.Fields(bridge.Annotations[bridgeVariables])...)
		bridge.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, variableOf(bridgeOf(bridge), f)) })
	}
	variable := regexp.MustCompile(`\bREPLHUB_[A-Z_]*[A-Z]\b`)
	found := 0
	for path, text := range deployed(t) {
		for _, name := range variable.FindAllString(text, -1) {
			found++
			// The form of a variable of any flag, in the comments of the settings.
			if !slices.Contains(known, name) && !strings.HasSuffix(name, "_SOME_NAME") {
				t.Errorf("%s names %s, which nothing reads", path, name)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d variables found", found)
	}
}

func bridgeCommands() []*cobra.Command {
	var commands []*cobra.Command
	root := newRoot(&app{})
	for _, args := range [][]string{{"capture", "postgres"}, {"apply"}, {"push"}} {
		cmd, _, err := root.Find(args)
		if err != nil {
			panic(err)
		}
		commands = append(commands, cmd)
	}
	return commands
}

// Each unit starts a command that there is, with flags that it has.
func TestUnitsStartCommandsThatExist(t *testing.T) {
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/replhub (.*)$`)
	units := 0
	for path, text := range deployed(t) {
		for _, found := range start.FindAllStringSubmatch(text, -1) {
			units++
			args := strings.Fields(strings.ReplaceAll(found[1], "%i", "sharing"))
			cmd, rest, err := newRoot(&app{}).Find(args)
			if err != nil || cmd.Name() == "replhub" {
				t.Errorf("%s: %s: %v", path, found[1], err)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%s: %s: %v", path, found[1], err)
			}
			if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
				t.Errorf("%s: %s: %v", path, found[1], err)
			}
		}
	}
	if units != 4 {
		t.Errorf("%d units", units)
	}
}
