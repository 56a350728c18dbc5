package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/pause"
)

const (
	// eraseTurn is how long a command waits for its turn, while the hub does the pages of
	// others.
	eraseTurn = 2 * time.Minute
	// eraseLost is how many times in a row a page may get no answer, or "unavailable".
	eraseLost = 4
	// erasePause is the least time between two attempts at a page; at most twice that.
	erasePause = 250 * time.Millisecond
)

// erasePatience decides whether a page is asked for again. A page may be repeated: what it
// removed is gone.
type erasePatience struct {
	since time.Time // the last page, or the beginning
	lost  int
}

// again takes the error of an attempt. It returns what the command waits for; empty if it
// should give up.
func (p *erasePatience) again(err error, now time.Time) string {
	refusal, isRefusal := errors.AsType[*refused](err)
	own, isOwn := errors.AsType[*failure](err)
	switch {
	case isRefusal && refusal.reason.Code == contract.CodeBusy:
		p.lost = 0
		if now.Sub(p.since) < eraseTurn {
			return "the hub is busy with other erasures"
		}
	case isRefusal && refusal.reason.Code == contract.CodeUnavailable, isOwn && own.code == codeTimeout:
		if p.lost++; p.lost < eraseLost {
			return "the hub did not answer in time"
		}
	}
	return ""
}

// erasePages asks until the hub has no more pages, and joins the replies. With an error,
// it returns the pages before, and Next is not empty.
func (a *app) erasePages(ctx context.Context, l *connection, req contract.Erase) (contract.Erased, error) {
	all := contract.Erased{DryRun: req.DryRun}
	line := &progressLine{app: a}
	defer line.leave()
	began := time.Now()
	for {
		page, err := a.erasePage(ctx, l, req, line)
		if err != nil {
			all.Next = req.After
			if errors.Is(ctx.Err(), context.Canceled) { // err may be the signal, as the context's cause
				err = failf(codeInterrupted, "interrupted, and not all is looked at; run it again")
			}
			return all, err
		}
		joinErased(&all, page)
		if page.Next == "" {
			return all, nil
		}
		if page.Next == req.After {
			all.Next = page.Next
			return all, failf(codeFailed, "the hub does not get on in %s; run it again", page.Place)
		}
		req.After = page.Next
		line.at(progress{
			What: page.Place, Done: uint64(all.Looked), Unit: "message",
			Note: fmt.Sprintf("found %d", all.Events+all.Copies+all.DeadLetters),
		}.paced(time.Since(began)))
	}
}

// erasePage asks for one page, again while the hub is busy.
func (a *app) erasePage(ctx context.Context, l *connection, req contract.Erase, line *progressLine) (page contract.Erased, err error) {
	patience := erasePatience{since: time.Now()}
	for {
		_, err = l.ask(ctx, contract.VerbErase, "", req, &page)
		if err == nil || ctx.Err() != nil {
			return page, err
		}
		waits := patience.again(err, time.Now())
		if waits == "" {
			return page, err
		}
		line.show(fmt.Sprintf("%s; waiting for %s", waits, humanDuration(time.Since(patience.since))))
		if err := pause.For(ctx, erasePause+rand.N(erasePause)); err != nil {
			return page, err
		}
	}
}

// cutShort shows what was erased before an error.
func (a *app) cutShort(e *erasure, f eraseFlags, err error) error {
	if f.dryRun || e.Events+e.Copies+e.DeadLetters+e.Records == 0 {
		return err
	}
	body, failed := json.Marshal(e)
	if failed != nil {
		return errors.Join(err, failed)
	}
	code := codeFailed
	if own, ok := errors.AsType[*failure](err); ok {
		code = own.code
	}
	if refusal, ok := errors.AsType[*refused](err); ok {
		code = refusal.reason.Code
	}
	// Without the refusal itself: its body would stand in for the counts.
	part := incompletef(code, "the erasure is not complete; run the same command again to continue: %v", err)
	part.reply = body
	return a.incomplete(part, func(w io.Writer) error { return showErased(w, e, f) })
}

// joinErased adds a page.
func joinErased(all *contract.Erased, page contract.Erased) {
	all.ID, all.DryRun, all.Place = page.ID, page.DryRun, page.Place
	all.Events += page.Events
	all.Copies += page.Copies
	all.DeadLetters += page.DeadLetters
	all.Records += page.Records
	all.Deletes += page.Deletes
	all.InFlight += page.InFlight
	all.Looked += page.Looked
	all.Found = append(all.Found, page.Found...)
	for _, left := range page.Left {
		if len(all.Left) == 0 || all.Left[len(all.Left)-1] != left {
			all.Left = append(all.Left, left)
		}
	}
}
