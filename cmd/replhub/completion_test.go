package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/contract"
)

// completions are the words that a shell is offered.
func completions(t *testing.T, args ...string) string {
	t.Helper()
	o := execute(t.Context(), "", append([]string{"__complete"}, args...)...)
	if o.code != exitDone {
		t.Fatalf("%v: exit %d: %s", args, o.code, o.stderr)
	}
	words, directive, _ := strings.Cut(o.stdout, ":")
	if !strings.HasPrefix(directive, "4\n") { // no files
		t.Errorf("%v: directive %q", args, directive)
	}
	return strings.Join(strings.Fields(words), " ")
}

func TestCompletes(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Services{Services: []contract.LaneStatus{application(), sharing()}})
	contexts(t, "", map[string]any{"prod": map[string]any{}, "test": map[string]any{}})
	for line, want := range map[string]string{
		"describe ":                   "application sharing",
		"next ":                       "application sharing",
		"next sharing ":               "",
		"register ":                   "application sharing",
		"register new ":               "tenant user",
		"register new user ":          "tenant",
		"unregister application ":     "user",
		"backfill ":                   "application sharing",
		"backfill application ":       "user",
		"who ":                        "tenant user",
		"pub ":                        "tenant user",
		"pub user ":                   "create read update delete",
		"dlq ls ":                     "application sharing",
		"dlq redrive ":                "application sharing",
		"dlq rm ":                     "",
		"dlq rm --all ":               "application sharing",
		"rewind ":                     "application sharing",
		"register new --start ":       "new all snapshot",
		"register new --order ":       "none key",
		"register new --ops ":         "create read update delete",
		"register new --ops delete,u": "delete,create delete,read delete,update delete,delete",
		"pub --origin ":               "application sharing",
		"dev --log-level ":            "debug info warn error",
		"ls --context ":               "prod test",
		"doctor --role ":              "hub operator observer application sharing",
		"doctor apply ":               "application sharing",
	} {
		if diff := cmp.Diff(want, completions(t, strings.Split(line, " ")...)); diff != "" {
			t.Errorf("%s(-want +got):\n%s", line, diff)
		}
	}
}

// Nobody waits for long where nothing answers, and nothing is said.
func TestCompletesNothingQuicklyWithoutAHub(t *testing.T) {
	newBench(t) // a server without a hub
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, server := range []string{"", "nats://127.0.0.1:1", "nats://" + silent.Addr().String()} {
		args := []string{"__complete", "describe", ""}
		if server != "" {
			args = []string{"__complete", "describe", "--server", server, ""}
		}
		began := time.Now()
		o := execute(t.Context(), "", args...)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: it took %s", server, took)
		}
		if o.code != exitDone || o.stdout != ":4\n" || strings.Contains(o.stderr, "error") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", server, o.code, o.stdout, o.stderr)
		}
	}
}
