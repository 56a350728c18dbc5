package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newBackfill(a *app) *cobra.Command {
	var (
		where  string
		keys   []string
		noWait bool
		every  time.Duration
	)
	cmd := &cobra.Command{
		Use:     "backfill <service> <entity>",
		GroupID: groupServices,
		Short:   "Copy the owner's rows to a service again",
		Long: `Copy the rows that the owner of an entity has now into the stream of a service that
is already registered for the entity. Live events go on meanwhile. Use it after you
added a column and widened the interest's fields, or after the replica lost rows.
With --where, only the rows that match the CEL expression are copied. The interest
does not change: its own filter and fields also apply to the rows.

With --key, only the rows of these keys are copied, and a key of which the service gets
no row comes as a delete: afterwards the replica has of these keys what the service gets.
--key - reads the keys from stdin, one on a line. The owner looks the keys up if it can.
The inbox applies the rows in the order of their keys, so a newer change stays.

The command shows the progress until all rows are in the stream. The hub goes on if
the command is interrupted. To end a backfill, unregister the entity. While a
backfill is under way, the same command shows its progress. With --json each line is
an object whose state is begun, copying, waiting or done. With --no-wait the output
is the hub's reply.`,
		Example: `  replhub backfill sharing user
  replhub backfill sharing user --where "data.tenant == 'acme'"
  replhub backfill sharing user --key 42 --key 43
  replhub verify sharing --table user=people --json | jq -r '.tables[].differences[].key' | replhub backfill sharing user --key -`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completed(false, knownServices, entitiesOfService),
		RunE: a.verb(func(ctx context.Context, args []string) error {
			requests, err := a.backfills(args[1], where, keys)
			switch {
			case err != nil:
				return err
			case noWait && len(requests) > 1:
				return usagef("--no-wait: the keys take %d backfills, one behind the other; leave --no-wait out", len(requests))
			case noWait:
				return exchange(ctx, a, contract.VerbBackfill, args[0], requests[0], showBackfilling)
			}
			return a.backfill(ctx, args[0], requests, every)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&where, "where", "", "CEL over data, key, headers and time; only rows that it matches")
	flags.StringArrayVar(&keys, "key", nil, "only the row of this key; repeated; - reads keys from stdin, one on a line")
	flags.BoolVar(&noWait, "no-wait", false, "do not wait for the rows")
	flags.DurationVar(&every, "interval", 500*time.Millisecond, "time between looks at how far the rows are")
	a.completeFlags(cmd, map[string]completer{"where": oneOf(), "key": oneOf()})
	return cmd
}

func showBackfilling(w io.Writer, r *contract.Backfilling) error {
	text := fmt.Sprintf("%s for %s: the backfill is in force, behind event %d (epoch %d)", r.Entity, r.Service, r.Seq, r.Epoch)
	if r.UnderWay {
		text = fmt.Sprintf("%s for %s: a backfill is under way since %s, %s so far", r.Entity, r.Service, humanTime(r.Began), plural(r.Rows, "row"))
	}
	_, err := fmt.Fprintln(w, text)
	for _, warning := range r.Warnings {
		if err == nil {
			_, err = fmt.Fprintf(w, "warning: %s\n", printable(warning))
		}
	}
	return err
}

// backfill requests backfills, one behind the other, and shows their progress until the
// last one's end.
func (a *app) backfill(ctx context.Context, service string, requests []contract.Backfill, every time.Duration) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	for _, req := range requests {
		var reply contract.Backfilling
		if _, err := l.ask(ctx, contract.VerbBackfill, service, req, &reply); err != nil {
			return err
		}
		w := &backfillWatch{app: a, begun: reply, id: reply.ID, ofKeys: len(req.Keys) > 0}
		if err := w.run(ctx, l, every); err != nil {
			return err
		}
	}
	return nil
}

// run shows a backfill's progress until its end.
func (w *backfillWatch) run(ctx context.Context, l *connection, every time.Duration) error {
	defer w.leave()
	if err := w.begin(); err != nil {
		return err
	}
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		done, err := w.look(ctx, l)
		if ctx.Err() != nil {
			return failf(codeInterrupted, "interrupted; the hub goes on with the backfill of %s: 'replhub describe %s' shows how far it is", w.begun.Entity, w.begun.Service)
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// backfillLine is a line of JSON about a backfill.
type backfillLine struct {
	// State is begun, copying, waiting or done.
	State   string `json:"state"`
	Service string `json:"service"`
	Entity  string `json:"entity"`
	ID      string `json:"id"`
	// UnderWay says that the backfill was already under way before the request.
	UnderWay bool   `json:"under_way,omitempty"`
	Rows     uint64 `json:"rows"`
	// Total is about how many rows the owner has; absent where it does not say.
	Total uint64 `json:"total,omitempty"`
	After string `json:"after,omitempty"`
	// Rate is how many rows a second were copied since the first look or the last wait, and
	// RemainingSeconds how long the others take at that rate; absent where Total is.
	Rate             float64 `json:"per_second,omitempty"`
	RemainingSeconds float64 `json:"remaining_seconds,omitempty"`
	// Reason is why it waits.
	Reason string     `json:"reason,omitempty"`
	Began  time.Time  `json:"began"`
	Ended  *time.Time `json:"ended,omitempty"`
	// Epoch, Seq and Warnings are the reply's, in the first line.
	Epoch    uint64   `json:"epoch,omitempty"`
	Seq      uint64   `json:"seq,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// The states of a backfill.
const (
	backfillBegun   = "begun"
	backfillCopying = "copying"
	backfillWaiting = "waiting"
	backfillDone    = "done"
)

func (w *backfillWatch) line(state string) backfillLine {
	return backfillLine{State: state, Service: w.begun.Service, Entity: w.begun.Entity, ID: w.id, Began: w.begun.Began}
}

func (w *backfillWatch) printJSON(line backfillLine) error {
	return w.app.printLine(line)
}
