package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

func TestDropAsksAtATerminal(t *testing.T) {
	for answer, code := range map[string]int{"y\n": exitDone, "YES\n": exitDone, "n\n": exitFailed, "\n": exitFailed, "": exitFailed} {
		t.Run("answer "+strings.TrimSpace(answer), func(t *testing.T) {
			b := newBench(t)
			b.answer(t, "replhub.drop.sharing", contract.Dropped{Service: "sharing", Stream: "SUB_sharing"})
			var stdout, stderr bytes.Buffer
			a := &app{in: strings.NewReader(answer), out: &stdout, errOut: &stderr, isTerminal: func(any) bool { return true }}
			if got := a.run(t.Context(), []string{"drop", "sharing"}); got != code {
				t.Errorf("exit %d, want %d: %s", got, code, stderr.String())
			}
			if got, want := len(b.asked), 1-code; got != want {
				t.Errorf("the hub was asked %d times, want %d", got, want)
			}
			if !strings.Contains(stderr.String(), "[y/N]") {
				t.Errorf("no question on stderr: %q", stderr.String())
			}
		})
	}
}

func TestDropDoesNotGuessWithoutATerminal(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.drop.sharing", contract.Dropped{})
	b.golden(t, "drop-unconfirmed", execute(t.Context(), "y\n", "drop", "sharing"))
	if len(b.asked) > 0 {
		t.Error("the hub was asked all the same")
	}
}
