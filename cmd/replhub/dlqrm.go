package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/wire"
)

func newDLQRm(a *app) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:     "rm <sequence>... | --all [service]",
		Aliases: []string{"remove"},
		Short:   "Remove dead letters for good",
		Long: `Remove dead letters without handing them to anyone: by sequence, or with --all
those of a service or of all services. What was not redriven is lost then.`,
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
	cmd.Flags().BoolVar(&all, "all", false, "all letters, or all of one service")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before --all")
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
		return usagef("which letters? give their sequences or --all")
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
	for _, seq := range seqs {
		if err := l.removeLetter(ctx, stream, seq); err != nil {
			return err
		}
	}
	return a.showRemoved(uint64(len(seqs)))
}

func (l *link) removeLetter(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	// Deleting what is not there is an error of the server without a code of
	// its own, so it is asked for first.
	if _, err := stream.GetMsg(ctx, seq); err != nil {
		return noLetter(seq, err)
	}
	if err := stream.DeleteMsg(ctx, seq); err != nil {
		return fmt.Errorf("remove letter %d: %w", seq, err)
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
		return fmt.Errorf("purge the stream %s: %w", wire.StreamDLQ, err)
	}
	var removed uint64
	for _, n := range before.State.Subjects {
		removed += n
	}
	return a.showRemoved(removed)
}

func (a *app) showRemoved(n uint64) error {
	if a.json {
		return a.printValue(map[string]uint64{"removed": n})
	}
	_, err := fmt.Fprintf(a.out, "removed %s\n", plural(n, "letter"))
	return err
}
