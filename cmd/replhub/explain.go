package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newExplain(a *app) *cobra.Command {
	var epoch uint64
	cmd := &cobra.Command{
		Use:     "explain <service> <sequence>",
		GroupID: groupEvents,
		Short:   "Explain why a service received an event or did not",
		Long: `Explain why a service received an event or did not, and what happened to the event
since: the place of its copy, the deliveries and the acknowledgement, its dead
letters and how often it was redriven. The event is identified by its sequence in
the ingest stream. 'replhub pub' prints this sequence, and it is the second number
of a copy's header Replhub-Position.`,
		Example: `  replhub explain sharing 1042
  replhub explain sharing 17 --epoch 1`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			seq, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return usagef("sequence %q: want a number", args[1])
			}
			return exchange(ctx, a, contract.VerbExplain, args[0], contract.Explain{Seq: seq, Epoch: epoch}, showExplained)
		}),
	}
	cmd.Flags().Uint64Var(&epoch, "epoch", 0, "epoch of the sequence (default: the current epoch)")
	return cmd
}

func showExplained(w io.Writer, r *contract.Explained) error {
	if _, err := fmt.Fprintf(w, "%s: %s\n\n", r.Verdict, printable(r.Reason)); err != nil {
		return err
	}
	t := newTable("service", r.Service)
	t.pair("event", fmt.Sprintf("%d, epoch %d", r.Seq, r.Epoch))
	t.pair("entity", r.Entity)
	t.pair("op", r.Op)
	t.pair("key", r.Key)
	t.pair("copy", r.Subject)
	if c := r.Copy; c != nil {
		t.pair("in the lane", fmt.Sprintf("at %d, %s%s", c.Seq, strings.ReplaceAll(c.State, "_", " "), deliveries(c.Delivered)))
		t.pair("consumer", c.Consumer)
	}
	for _, seq := range r.Redriven {
		t.pair("came back", fmt.Sprintf("at %d", seq))
	}
	for _, l := range r.Letters {
		t.pair("dead letter", fmt.Sprintf("%d, %s: %s", l.Seq, l.Reason, l.Error))
	}
	for _, text := range r.Unknown {
		t.pair("not known", text)
	}
	return t.print(w)
}

// deliveries tells how often a copy was delivered, where that is known.
func deliveries(n *uint64) string {
	if n == nil {
		return ""
	}
	return ", delivered " + plural(*n, "time")
}
