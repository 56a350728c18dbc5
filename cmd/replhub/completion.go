package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// completionTime bounds the whole of a completion: somebody has pressed Tab and
// waits. Without a hub there is nothing to offer, and nothing is said.
const completionTime = 700 * time.Millisecond

// completer gives the words that an argument or a flag may be; args are the
// arguments before it.
type completer func(ctx context.Context, a *app, args []string) []string

// completed makes cobra's form of completers, one for each argument; the last
// holds for all that follow when more is set.
func (a *app) completed(more bool, arguments ...completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		at := len(args)
		if at >= len(arguments) && more {
			at = len(arguments) - 1
		}
		if at >= len(arguments) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		var words []cobra.Completion
		for _, word := range arguments[at](ctx, a, args) {
			if !slices.Contains(args, word) {
				words = append(words, word)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeService completes a verb's only argument by the hub's services.
func (a *app) completeService(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completed(false, knownServices)(cmd, args, toComplete)
}

// completeFlags completes the values of flags, of which a list takes several.
func (a *app) completeFlags(cmd *cobra.Command, values map[string]completer) {
	for name, words := range values {
		complete := func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
			defer cancel()
			before := ""
			if f := cmd.Flag(name); f != nil && f.Value.Type() == "stringSlice" {
				if comma := strings.LastIndex(toComplete, ","); comma >= 0 {
					before = toComplete[:comma+1]
				}
			}
			var completions []cobra.Completion
			for _, word := range words(ctx, a, nil) {
				completions = append(completions, before+word)
			}
			return completions, cobra.ShellCompDirectiveNoFileComp
		}
		_ = cmd.RegisterFlagCompletionFunc(name, complete) // the flag is there, and once
	}
}

// oneOf completes by words that are known beforehand.
func oneOf(words ...string) completer {
	return func(context.Context, *app, []string) []string { return words }
}

// opWords are the operations of an event.
func opWords(context.Context, *app, []string) []string {
	words := make([]string, 0, 4)
	for _, op := range subjects.Ops() {
		words = append(words, op.String())
	}
	return words
}

func startWords() completer { return oneOf("new", "all", contract.StartSnapshot) }

func orderWords() completer { return oneOf("none", orderKey) }

// orderKey is the order of a queue with partitions, in the words of the contract.
const orderKey = "key"

func levelWords() completer { return oneOf("debug", "info", "warn", "error") }

// knownServices are the hub's services.
func knownServices(ctx context.Context, a *app, _ []string) []string {
	var names []string
	for _, lane := range a.lanesNow(ctx) {
		names = append(names, lane.Service)
	}
	return names
}

// knownEntities are those that any service is registered for.
func knownEntities(ctx context.Context, a *app, _ []string) []string {
	var names []string
	for _, lane := range a.lanesNow(ctx) {
		for _, in := range lane.Interests {
			names = append(names, in.Entity)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// entitiesOfService are those that the service in the first argument is
// registered for.
func entitiesOfService(ctx context.Context, a *app, args []string) []string {
	var names []string
	for _, lane := range a.lanesNow(ctx) {
		for _, in := range lane.Interests {
			if lane.Service == args[0] {
				names = append(names, in.Entity)
			}
		}
	}
	return names
}

// lanesNow asks the hub for its services, and gives none where that fails.
func (a *app) lanesNow(ctx context.Context) []contract.LaneStatus {
	quick := *a
	quick.timeout = min(a.timeout, completionTime)
	l, err := quick.connect()
	if err != nil {
		return nil
	}
	defer l.close()
	var reply contract.Services
	if _, err := l.askPages(ctx, servicePages(), &reply); err != nil {
		return nil
	}
	return reply.Services
}

// knownContexts are the contexts of the nats CLI.
func knownContexts(context.Context, *app, []string) []string {
	dir, err := contextDir()
	if err != nil {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "context", "*.json"))
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	return names
}
