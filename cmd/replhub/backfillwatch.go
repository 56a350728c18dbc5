package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// backfillWatch shows a backfill's progress, and remembers what it has shown.
type backfillWatch struct {
	app   *app
	begun contract.Backfilling
	// id is the backfill's. One that is begun again has another.
	id string
	// ofKeys says that it is of some keys.
	ofKeys bool
	shown  string
	// open says that the terminal's last line is one that is written over.
	open    bool
	trouble string
	// began is the first look at rows, or the last one at which they waited, and first their
	// number by then.
	began time.Time
	first uint64
}

// rate is how many rows a second were copied since the first look, or since the backfill
// waited; 0 in the first second.
func (w *backfillWatch) rate(rows uint64, now time.Time, waits bool) float64 {
	if w.began.IsZero() || rows < w.first || waits {
		w.began, w.first = now, rows
	}
	took := now.Sub(w.began).Seconds()
	if took < 1 {
		return 0
	}
	return float64(rows-w.first) / took
}

func (w *backfillWatch) begin() error {
	if !w.app.json {
		return showBackfilling(w.app.out, &w.begun)
	}
	line := w.line(backfillBegun)
	line.UnderWay, line.Rows = w.begun.UnderWay, w.begun.Rows
	line.Epoch, line.Seq, line.Warnings = w.begun.Epoch, w.begun.Seq, w.begun.Warnings
	return w.printJSON(line)
}

// look asks once for the backfill's progress. If the hub is away, it says so once and
// waits; a refusal ends the watch.
func (w *backfillWatch) look(ctx context.Context, l *connection) (done bool, err error) {
	var lane contract.LaneStatus
	_, err = l.ask(ctx, contract.VerbDescribe, w.begun.Service, contract.Describe{}, &lane)
	if _, no := errors.AsType[*refused](err); no || ctx.Err() != nil {
		return false, err
	}
	if err != nil {
		if err.Error() != w.trouble {
			w.trouble = err.Error()
			_, err = fmt.Fprintf(w.app.errOut, "error: %s; looking again\n", w.trouble)
			return false, err
		}
		return false, nil
	}
	w.trouble = ""
	return w.take(&lane)
}

// take shows what a lane's status says of the backfill.
func (w *backfillWatch) take(lane *contract.LaneStatus) (done bool, err error) {
	if i := slices.IndexFunc(lane.Filled, func(f contract.FilledStatus) bool { return f.ID == w.id }); i >= 0 {
		return true, w.end(&lane.Filled[i])
	}
	fills := lane.OtherFills
	if lane.Fill != nil {
		fills = append([]contract.FillStatus{*lane.Fill}, fills...)
	}
	if i := slices.IndexFunc(fills, func(f contract.FillStatus) bool { return f.ID == w.id }); i >= 0 {
		return false, w.progress(&fills[i], lane)
	}
	// The interest's definition was changed, and somebody has asked again.
	again := slices.IndexFunc(fills, func(f contract.FillStatus) bool {
		return !w.ofKeys && f.OfRows() && f.Filter == w.begun.Filter && slices.Contains(f.Entities, w.begun.Entity)
	})
	switch {
	case again >= 0:
		w.id = fills[again].ID
		return false, w.progress(&fills[again], lane)
	case lane.FillsLeftOut > 0:
		return false, nil // it is one of those that the reply had no room for
	}
	reason := lane.State
	if lane.Reason != "" {
		reason += ": " + lane.Reason
	}
	return false, failf(codeFailed, "the backfill of %s was given up before its last row: the interest was ended, or the lane was dropped or detached (it is %s)",
		w.begun.Entity, printable(reason))
}

// progress shows how far the rows are, when that has changed.
func (w *backfillWatch) progress(f *contract.FillStatus, lane *contract.LaneStatus) error {
	reason := f.Stalled
	if reason == "" && lane.State != contract.LaneFilling && lane.State != contract.LaneLive {
		reason = strings.TrimSuffix("the lane is "+lane.State+": "+lane.Reason, ": ")
	}
	text := rowsText(f.Rows, f.Total)
	if f.After != "" {
		text += fmt.Sprintf(", up to key %q", f.After)
	}
	if reason != "" {
		text += "; waits: " + printable(reason)
	}
	if text == w.shown {
		return nil
	}
	w.shown = text
	rate := w.rate(f.Rows, time.Now(), reason != "")
	if rate > 0 {
		text += fmt.Sprintf(", %.0f/s", rate)
	}
	var left float64
	if rate > 0 && f.Total > f.Rows {
		left = math.Round(float64(f.Total-f.Rows) / rate)
		text += fmt.Sprintf(", about %s left", humanDuration(time.Duration(left)*time.Second))
	}
	if w.app.json {
		line := w.line(backfillCopying)
		if reason != "" {
			line.State = backfillWaiting
		}
		line.Rows, line.Total, line.After, line.Reason, line.Rate, line.RemainingSeconds = f.Rows, f.Total, f.After, reason, rate, left
		return w.printJSON(line)
	}
	if !w.app.isTerminal(w.app.out) {
		_, err := fmt.Fprintln(w.app.out, text)
		return err
	}
	w.open = true
	_, err := fmt.Fprint(w.app.out, overwriteLine+text)
	return err
}

// overwriteLine goes to the line's beginning and clears it.
const overwriteLine = "\r\x1b[K"

// leave ends a line that would be written over.
func (w *backfillWatch) leave() {
	if w.open {
		fmt.Fprintln(w.app.out)
	}
}

func (w *backfillWatch) end(f *contract.FilledStatus) error {
	if w.app.json {
		line := w.line(backfillDone)
		line.Rows, line.Began, line.Ended = f.Rows, f.Began, &f.Ended
		return w.printJSON(line)
	}
	if w.open {
		w.open = false
		if _, err := fmt.Fprint(w.app.out, overwriteLine); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w.app.out, "copied %s into the service's stream in %s\n", plural(f.Rows, "row"), humanDuration(f.Ended.Sub(f.Began)))
	return err
}
