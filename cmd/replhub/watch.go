package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

// clearScreen moves the cursor home and clears what is below.
const clearScreen = "\x1b[H\x1b[J"

func newWatch(a *app) *cobra.Command {
	var (
		every time.Duration
		lines bool
	)
	cmd := &cobra.Command{
		Use:     "watch",
		GroupID: groupServices,
		Short:   "Show services live",
		Long: `Show the services live, with the curves of their copies and their lag, those in trouble
first, until you press q. Other keys sort and filter the table and open a service; ?
lists them. If the output is not a terminal, or with --lines, print a line for each
service that changed. With --json the line is the service's status; a service that was
dropped has the state "gone".`,
		Example: `  replhub watch
  replhub watch --interval 200ms
  replhub watch --lines
  replhub watch --json | jq -c '[.service, .state, .backlog]'`,
		Args: cobra.NoArgs,
		RunE: a.verb(func(ctx context.Context, _ []string) error {
			return a.watch(ctx, every, lines)
		}),
	}
	cmd.Flags().DurationVar(&every, "interval", time.Second, "time between two reads")
	cmd.Flags().BoolVar(&lines, "lines", false, "print lines also on a terminal")
	return cmd
}

// watch looks until it is interrupted, which is its way to be done. A hub that
// is away is said once and waited for; a refusal ends it.
func (a *app) watch(ctx context.Context, every time.Duration, asLines bool) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	if screen, ok := a.screen(); ok && !asLines {
		return a.watchScreen(ctx, l, screen, every)
	}
	w := watcher{app: a, asLines: asLines, last: map[string][]byte{}}
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		var reply contract.Services
		_, err := l.askPages(ctx, servicePages(), &reply)
		if _, no := errors.AsType[*refused](err); no {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := w.show(&reply, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// watcher remembers what it has shown.
type watcher struct {
	app     *app
	asLines bool              // also on a terminal
	last    map[string][]byte // by service, what it was when last shown
	trouble string
}

func (w *watcher) show(reply *contract.Services, trouble error) error {
	if trouble != nil {
		return w.showTrouble(trouble)
	}
	w.trouble = ""
	if !w.app.json && !w.asLines && w.app.isTerminal(w.app.out) {
		return w.redraw(reply)
	}
	return w.showChanges(reply)
}

func (w *watcher) showTrouble(trouble error) error {
	if trouble.Error() == w.trouble {
		return nil
	}
	w.trouble = trouble.Error()
	_, err := fmt.Fprintf(w.app.errOut, "error: %s\n", w.trouble)
	return err
}

// redraw writes the screen at once, so that it does not flicker.
func (w *watcher) redraw(reply *contract.Services) error {
	return printTo(w.app.out, clearScreen, func(screen io.Writer) error { return showServices(screen, reply) })
}

func (w *watcher) showChanges(reply *contract.Services) error {
	here := make(map[string]bool, len(reply.Services))
	for i := range reply.Services {
		lane := &reply.Services[i]
		here[lane.Service] = true
		if err := w.showChanged(lane); err != nil {
			return err
		}
	}
	for service := range w.last {
		if here[service] {
			continue
		}
		delete(w.last, service)
		if err := w.line(&contract.LaneStatus{Service: service, State: "gone"}); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) showChanged(lane *contract.LaneStatus) error {
	// Ages pass by themselves and are no change.
	ageless := *lane
	ageless.LagSeconds, ageless.OldestUnacked = 0, 0
	now, err := json.Marshal(ageless)
	if err != nil {
		return fmt.Errorf("compare %s: %w", lane.Service, err)
	}
	if bytes.Equal(now, w.last[lane.Service]) {
		return nil
	}
	w.last[lane.Service] = now
	return w.line(lane)
}

func (w *watcher) line(lane *contract.LaneStatus) error {
	if w.app.json {
		text, err := json.Marshal(lane)
		if err != nil {
			return fmt.Errorf("print %s: %w", lane.Service, err)
		}
		_, err = fmt.Fprintf(w.app.out, "%s\n", text)
		return err
	}
	text := fmt.Sprintf("%s %s: lag %d, backlog %d, dead letters %d", lane.Service, lane.State, lane.Lag, lane.Backlog, lane.DeadLetters)
	if f := lane.Fill; f != nil && f.OfRows() {
		text += fmt.Sprintf(", %s of %s", rowsText(f.Rows, f.Total), list(f.Entities, "-"))
	}
	if lane.Reason != "" {
		text += "; " + printable(lane.Reason)
	}
	_, err := fmt.Fprintln(w.app.out, text)
	return err
}
