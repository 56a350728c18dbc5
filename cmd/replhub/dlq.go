package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func newDLQ(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dlq",
		GroupID: groupEvents,
		Short:   "List, show, redrive and remove dead letters",
		Long: `A dead letter is an event that a service should have received, but that could not be
delivered to the service or that the service could not handle. Dead letters stay
until they are redriven or removed. Each is identified by its sequence in the stream
DLQ.`,
		Example: `  replhub dlq ls
  replhub dlq show 17
  replhub dlq redrive sharing --all
  replhub dlq rm 17`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDLQLs(a), newDLQShow(a), newDLQRedrive(a), newDLQRm(a))
	return cmd
}

// letters is the stream of dead letters.
func (l *connection) letters(ctx context.Context) (jetstream.Stream, error) {
	js, err := l.jetStream()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	stream, err := js.Stream(ctx, contract.StreamDLQ)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, failf(codeNoHub, "no hub has created the stream %s on this server (%s); start one with replhub dev or replhub serve", contract.StreamDLQ, l.server)
	}
	if err != nil {
		return nil, fmt.Errorf("open the stream %s: %w", contract.StreamDLQ, err)
	}
	return stream, nil
}

// letterFilter matches a service's letters, or all when args are empty.
func letterFilter(args []string) (string, error) {
	if len(args) == 0 {
		return "dlq.>", nil
	}
	service, err := subjects.ParseName(args[0])
	if err != nil {
		return "", refuse(contract.FieldErrorf(contract.CodeInvalidName, "service", "%v", err))
	}
	return subjects.DeadLetterFilter(service), nil
}

func parseSeqs(args []string) ([]uint64, error) {
	seqs := make([]uint64, 0, len(args))
	for _, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || seq == 0 {
			return nil, usagef("sequence %q: want a number of the stream %s", arg, contract.StreamDLQ)
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// noLetter words the error of a letter that is not there.
func noLetter(seq uint64, err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return refuse(contract.Errorf(contract.CodeNotFound, "there is no dead letter %d", seq))
	}
	return fmt.Errorf("dead letter %d: %w", seq, err)
}
