package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWrongUsage(t *testing.T) {
	b := newBench(t)
	for name, args := range map[string]string{
		"verb":               "frobnicate",
		"dlq-verb":           "dlq frobnicate",
		"flag":               "ls --frobnicate",
		"no-service":         "register",
		"no-entity":          "register sharing",
		"file-and-entity":    "register sharing user --file x.json",
		"file-and-flag":      "register sharing --file x.json --ops create",
		"max-bytes":          "register sharing user --max-bytes lots",
		"sequence":           "explain sharing first",
		"pub-op":             "pub user",
		"pub-header":         "pub user create {} -H nonsense",
		"pub-payloads":       "pub db.user.create {} {}",
		"redrive-nothing":    "dlq redrive sharing",
		"redrive-everything": "dlq redrive sharing 1 --all",
		"watch-interval":     "watch --interval 0s",
		"ack-wait":           "register sharing user --ack-wait 0s",
		"partitions":         "register sharing user --partitions 0",
		"ack-and-no-ack":     "next sharing --ack --no-ack",
		"backfill-entity":    "backfill sharing",
		"letters-limit":      "dlq ls --limit 5",
	} {
		t.Run(name, func(t *testing.T) {
			o := execute(t.Context(), "", strings.Fields(args)...)
			if o.code != exitUsage {
				t.Errorf("exit %d, want %d", o.code, exitUsage)
			}
			b.golden(t, "usage-"+name, o)
		})
	}
}

// An empty variable in a script must not register for everything.
func TestEmptyFlagsOfARegistration(t *testing.T) {
	newBench(t)
	for _, flag := range []string{"--filter=", "--filter= ", "--fields=", "--ops="} {
		name, _, _ := strings.Cut(flag, "=")
		if o := execute(t.Context(), "", "register", "sharing", "user", flag); o.code != exitUsage || !strings.Contains(o.stderr, name+" is empty") {
			t.Errorf("%s: exit %d: %s", flag, o.code, o.stderr)
		}
	}
}

func TestEveryVerbHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || !strings.Contains(cmd.Example, "replhub ") {
			t.Errorf("%s: want a short and a long help text and an example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app{}))
}

func TestHelpAndVersionNeedNoServer(t *testing.T) {
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	for _, args := range [][]string{{}, {"--help"}, {"pub", "--help"}, {"dlq"}, {"version"}, {"version", "--json"}, {"completion", "bash"}} {
		if o := execute(t.Context(), "", args...); o.code != exitDone || o.stdout == "" || o.stderr != "" {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", args, o.code, o.stdout, o.stderr)
		}
	}
}
