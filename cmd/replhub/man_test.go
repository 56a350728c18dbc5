package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The pages are those of all verbs, the same for the same source, and tables stay tables.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767312000")
	pages := func(dir string) map[string]string {
		if o := execute(t.Context(), "", "man", dir); o.code != exitDone || o.stdout+o.stderr != "" {
			t.Fatalf("exit %d: %s%s", o.code, o.stdout, o.stderr)
		}
		found := map[string]string{}
		files, err := filepath.Glob(filepath.Join(dir, "*.1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(file)] = string(text)
		}
		return found
	}
	first := pages(filepath.Join(t.TempDir(), "new", "man1"))
	if diff := cmp.Diff(first, pages(t.TempDir())); diff != "" {
		t.Errorf("another run writes other pages:\n%s", diff)
	}
	for _, name := range []string{"replhub", "replhub-dlq-redrive", "replhub-capture-postgres", "replhub-completion-bash"} {
		if !strings.Contains(first[name+".1"], ".TH") {
			t.Errorf("no page %s among %d", name, len(first))
		}
	}
	if _, hidden := first["replhub-man.1"]; hidden {
		t.Error("a page of a hidden verb")
	}
	serve := first["replhub-serve.1"]
	for _, line := range []string{"\nREPLHUB\\_NATS\\_URL ", "\n  REPLHUB_NATS_URL ", "\nREPLHUB_NATS_URL "} {
		if strings.Contains(serve, line) {
			return
		}
	}
	t.Errorf("the variables are no table:\n%s", serve)
}

// What looks like markup in a help text is text.
func TestHelpTextAsMarkdown(t *testing.T) {
	got := markdown("Take <name> and *all*:\n  a_b  one\n  c    two\nThe end.\n")
	if want := "Take \\<name> and \\*all\\*:\n\n    a_b  one\n    c    two\n\nThe end.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
