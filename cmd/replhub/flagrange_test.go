package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replhub/replhub/internal/contract"
)

// Every number of every verb is refused where it is 0 or less, unless 0 has a
// meaning, which the help text then states. No hub is asked.
func TestEmptyNumbersAreRefused(t *testing.T) {
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	found := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.HasSubCommands() {
			return
		}
		cmd.InheritedFlags() // brings the global ones in
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			var values []string
			switch f.Value.Type() {
			case "int", "int64":
				values = []string{"0", "-1"}
			case "uint64":
				values = []string{"0"}
			case "duration":
				values = []string{"0s", "-1s", "0h0m0s"}
			case "size":
				values = []string{"0", "0MiB", "-1"}
			default:
				return
			}
			found++
			marks := f.Annotations[flagRange]
			for _, value := range values {
				if len(marks) > 0 && (marks[0] == rangeAny || !strings.HasPrefix(value, "-")) {
					if marks[0] == rangeZero && !strings.Contains(f.Usage, "0") && f.Name != "after" {
						t.Errorf("%s --%s: the help text does not say what 0 means", cmd.CommandPath(), f.Name)
					}
					continue
				}
				args := append(strings.Fields(cmd.CommandPath())[1:], "--"+f.Name+"="+value)
				args = append(args, validArgs(cmd)...)
				o := execute(t.Context(), "", args...)
				if o.code != exitUsage || !strings.Contains(o.stderr, "--"+f.Name) || !strings.Contains(o.stderr, "see 'replhub") {
					t.Errorf("%v: exit %d: %s", args, o.code, o.stderr)
				}
			}
		})
	}
	walk(newRoot(&app{}))
	if found < 30 {
		t.Errorf("only %d numbers found", found)
	}
}

// validArgs are some that the command takes.
func validArgs(cmd *cobra.Command) []string {
	if len(cmd.ValidArgs) > 0 {
		return cmd.ValidArgs[:1]
	}
	for few := []string{}; len(few) < 3; few = append(few, "1") {
		if cmd.ValidateArgs(few) == nil {
			return few
		}
	}
	return nil
}

// With --json every error is JSON of one form on stdout, whatever went wrong.
func TestErrorsAreJSON(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.describe.nobody", contract.FieldErrorf(contract.CodeNotFound, "service", "no service of that name is registered"))
	for _, tt := range []struct {
		args string
		code contract.Code
		exit int
	}{
		{"ls --json --server nats://127.0.0.1:1", codeUnreachable, exitFailed},
		{"pub user create {} --json --server nats://127.0.0.1:1", codeUnreachable, exitFailed},
		{"dlq ls --json --server nats://127.0.0.1:1", codeUnreachable, exitFailed},
		{"next sharing --json --server nats://127.0.0.1:1", codeUnreachable, exitFailed},
		{"watch --json --server nats://127.0.0.1:1", codeUnreachable, exitFailed},
		{"ls --json", codeNoHub, exitFailed},
		{"pub user create {} --json", codeNoHub, exitFailed},
		{"dlq ls --json", codeNoHub, exitFailed},
		{"ls --json --context nowhere", codeFailed, exitFailed},
		{"describe nobody --json", contract.CodeNotFound, exitFailed},
		{"describe NOBODY --json", contract.CodeInvalidName, exitFailed},
		{"frobnicate --json", codeUsage, exitUsage},
		{"ls --frobnicate --json", codeUsage, exitUsage},
		{"--json ls extra", codeUsage, exitUsage},
		{"register sharing user --partitions 0 --json", codeUsage, exitUsage},
		{"register sharing user --max-bytes lots --json", codeUsage, exitUsage},
		{"drop sharing --json", codeUsage, exitUsage},
		{"pub user delete --json", codeUsage, exitUsage},
		{"dlq rm --json", codeUsage, exitUsage},
	} {
		t.Run(tt.args, func(t *testing.T) {
			o := execute(t.Context(), "", strings.Fields(tt.args)...)
			var refusal contract.Refusal
			if err := json.Unmarshal([]byte(o.stdout), &refusal); err != nil || refusal.Error == nil {
				t.Fatalf("exit %d, stdout %q: %v", o.code, o.stdout, err)
			}
			if o.code != tt.exit || refusal.Error.Code != tt.code || refusal.Error.Message == "" {
				t.Errorf("exit %d, %+v, want exit %d, code %s", o.code, refusal.Error, tt.exit, tt.code)
			}
			if !strings.HasPrefix(o.stderr, "error: ") {
				t.Errorf("stderr %q", o.stderr)
			}
		})
	}
}

func TestPubRefusesAnEventThatSaysNothing(t *testing.T) {
	b := newBench(t)
	stream := b.createStream(t, contract.StreamIngest, "db.*.create", "db.*.update", "db.*.read", "db.*.delete")
	for name, args := range map[string]string{
		"pub-no-row":     "pub user delete",
		"pub-empty-row":  "pub db.user.delete -",
		"pub-no-payload": "pub user update --key 42",
	} {
		b.golden(t, name, execute(t.Context(), "", strings.Fields(args)...))
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 0 {
		t.Errorf("%d events stored, error %v", info.State.Msgs, err)
	}
	for _, args := range [][]string{
		{"pub", "user", "delete", "--key", "42"},
		{"pub", "user", "delete", "-H", "Replhub-Key: 42"},
		{"pub", "user", "delete", `{"id":"42"}`},
	} {
		if o := execute(t.Context(), "", args...); o.code != exitDone {
			t.Errorf("%v: exit %d: %s", args, o.code, o.stderr)
		}
	}
}
