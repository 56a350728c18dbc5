package main

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

// lettered is a bench with the stream DLQ and four letters in it.
func lettered(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.createStream(t, contract.StreamDLQ, "dlq.>")
	for _, letter := range []struct{ subject, reason, payload string }{
		{"dlq.sharing.user.update", contract.ReasonMaxDeliver, `{"id":"42"}`},
		{"dlq.application.user.create", contract.ReasonNotJSON, ""},
		{"dlq.sharing.user.update", contract.ReasonMaxDeliver, "plain \x1b text"},
		{"dlq.sharing.tenant.create", contract.ReasonParked, "\xff\xfe"},
	} {
		msg := nats.NewMsg(letter.subject)
		msg.Header.Set(contract.HeaderReason, letter.reason)
		msg.Header.Set(contract.HeaderError, "no worker took it\x1b[2J")
		msg.Header.Set(contract.HeaderKey, "42")
		msg.Header.Set(contract.HeaderAttempts, "10")
		msg.Data = []byte(letter.payload)
		if _, err := b.jetStream(t).PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestDLQ(t *testing.T) {
	for name, args := range map[string]string{
		"dlq-ls":           "ls",
		"dlq-ls-service":   "ls application",
		"dlq-ls-none":      "ls nobody",
		"dlq-show":         "show 1",
		"dlq-show-empty":   "show 2",
		"dlq-show-text":    "show 3",
		"dlq-show-binary":  "show 4",
		"dlq-show-missing": "show 99",
		"dlq-rm-missing":   "rm 99",
		"dlq-rm-partly":    "rm 98 1 1 99",
		"dlq-ls-letters":   "ls --letters",
		"dlq-ls-page":      "ls sharing -l --after 1 --limit 1",
		"dlq-ls-last":      "ls sharing -l --after 1 --limit 2",
		"dlq-ls-no-letter": "ls nobody --letters",
	} {
		t.Run(name, func(t *testing.T) {
			b := lettered(t)
			words := append([]string{"dlq"}, strings.Fields(args)...)
			b.golden(t, name, execute(t.Context(), "", words...))
			if strings.HasPrefix(args, "rm") {
				b = lettered(t) // the letters are there again
			}
			b.golden(t, name+"-json", execute(t.Context(), "", append(words, "--json")...))
		})
	}
}

func TestDLQRm(t *testing.T) {
	for name, tt := range map[string]struct {
		args string
		left uint64
	}{
		"one":         {"rm 1", 3},
		"two":         {"rm 1 4", 2},
		"service":     {"rm --all sharing --yes", 1},
		"all":         {"rm --all --yes", 0},
		"unconfirmed": {"rm --all", 4},
		"ambiguous":   {"rm --all 1 2 --yes", 4},
		"none":        {"rm", 4},
	} {
		t.Run(name, func(t *testing.T) {
			b := lettered(t)
			b.golden(t, "dlq-rm-"+name, execute(t.Context(), "", append([]string{"dlq"}, strings.Fields(tt.args)...)...))
			stream, err := b.jetStream(t).Stream(t.Context(), contract.StreamDLQ)
			if err != nil {
				t.Fatal(err)
			}
			if n := stream.CachedInfo().State.Msgs; n != tt.left {
				t.Errorf("%d letters left, want %d", n, tt.left)
			}
		})
	}
}
