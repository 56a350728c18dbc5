package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newDLQRm(a *app) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:     "rm <sequence>... | --all [service]",
		Aliases: []string{"remove"},
		Short:   "Remove dead letters for good",
		Long: `Remove dead letters by sequence, or with --all every dead letter of a service or of
all services. Nobody receives the removed events. The output names each sequence
that has no dead letter, and the exit code is then 1.`,
		Example: `  replhub dlq rm 17 18
  replhub dlq rm --all sharing
  replhub dlq rm --all --yes`,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			if !all {
				return a.removeLetters(ctx, args)
			}
			if len(args) > 1 {
				return usagef("--all takes one service or none, not sequences")
			}
			if !yes {
				if err := a.confirm("Remove " + whose(args) + " for good?"); err != nil {
					return err
				}
			}
			return a.removeAllLetters(ctx, args)
		}),
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if !all {
			return nil, cobra.ShellCompDirectiveNoFileComp // sequences
		}
		return a.completeService(cmd, args, toComplete)
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters, or all of one service")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation of --all")
	return cmd
}

func whose(args []string) string {
	if len(args) == 0 {
		return "all dead letters of all services"
	}
	return "all dead letters of " + strings.Join(args, " ")
}

func (a *app) removeLetters(ctx context.Context, args []string) error {
	seqs, err := parseSeqs(args)
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		return usagef("state the sequences of the dead letters, or --all")
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	stream, err := l.letters(ctx)
	if err != nil {
		return err
	}
	outcome := l.removeEach(ctx, stream, seqs)
	if len(outcome.Left) == 0 {
		return a.showRemoved(outcome)
	}
	left := incompletef(codePartly, "not all was removed: %s", notRemoved(outcome.Left))
	if outcome.Removed == 0 {
		left = incompletef(contract.CodeNotFound, "nothing was removed: %s", notRemoved(outcome.Left))
	}
	if left.reply, err = json.Marshal(outcome); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return a.incomplete(left, func(w io.Writer) error { return showRemoved(w, outcome) })
}

// removed is what became of the letters that were to be removed.
type removed struct {
	Removed uint64 `json:"removed"`
	// Left are the letters that were not removed, as in the reply of redrive.
	Left []contract.RedriveLeft `json:"left,omitempty"`
}

// notRemoved names the first letter that was not removed, and says how many there
// are besides.
func notRemoved(left []contract.RedriveLeft) string {
	first := fmt.Sprintf("dead letter %d: %s", left[0].Seq, left[0].Message)
	if len(left) == 1 {
		return first
	}
	return fmt.Sprintf("%s; and %d more", first, len(left)-1)
}

// removeEach removes letters one by one. Only one that is not there is passed
// over: after any other fault the rest is not tried.
func (l *connection) removeEach(ctx context.Context, stream jetstream.Stream, seqs []uint64) (outcome removed) {
	var fault error
	for i, seq := range seqs {
		if slices.Contains(seqs[:i], seq) {
			continue
		}
		if fault != nil {
			outcome.Left = append(outcome.Left, contract.RedriveLeft{Seq: seq, Message: "not tried"})
			continue
		}
		err := l.removeLetter(ctx, stream, seq)
		if err == nil {
			outcome.Removed++
			continue
		}
		message := "there is no such dead letter"
		if _, none := errors.AsType[*refused](err); !none {
			fault, message = err, err.Error()
		}
		outcome.Left = append(outcome.Left, contract.RedriveLeft{Seq: seq, Message: message})
	}
	return outcome
}

func (l *connection) removeLetter(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	// Deleting what is not there is an error of the server without a code of
	// its own, so it is asked for first.
	if _, err := stream.GetMsg(ctx, seq); err != nil {
		return noLetter(seq, err)
	}
	if err := stream.DeleteMsg(ctx, seq); err != nil {
		return fmt.Errorf("remove dead letter %d: %w", seq, err)
	}
	return nil
}

func (a *app) removeAllLetters(ctx context.Context, args []string) error {
	filter, err := letterFilter(args)
	if err != nil {
		return err
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	stream, err := l.letters(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	before, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return fmt.Errorf("count dead letters: %w", err)
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(filter), jetstream.WithPurgeSequence(before.State.LastSeq+1)); err != nil {
		return fmt.Errorf("purge the stream %s: %w", contract.StreamDLQ, err)
	}
	var outcome removed
	for _, n := range before.State.Subjects {
		outcome.Removed += n
	}
	return a.showRemoved(outcome)
}

func (a *app) showRemoved(outcome removed) error {
	if a.json {
		return a.printValue(outcome)
	}
	return showRemoved(a.out, outcome)
}

func showRemoved(w io.Writer, outcome removed) error {
	if _, err := fmt.Fprintf(w, "removed %s\n", plural(outcome.Removed, "dead letter")); err != nil {
		return err
	}
	for _, left := range outcome.Left {
		if _, err := fmt.Fprintf(w, "dead letter %d was not removed: %s\n", left.Seq, printable(left.Message)); err != nil {
			return err
		}
	}
	return nil
}
