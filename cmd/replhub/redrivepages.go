package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// redrive asks until every letter was looked at, and shows the replies as one.
func (a *app) redrive(ctx context.Context, service string, req contract.Redrive) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	line := &progressLine{app: a}
	defer line.leave()
	of := a.lettersOf(ctx, l, line, service, req)
	began := time.Now()
	var all contract.Redriven
	body, err := l.ask(ctx, contract.VerbRedrive, service, req, &all)
	if err != nil {
		return err
	}
	for all.More && all.Next > req.After {
		req.After = all.Next
		looked := uint64(all.Redriven + len(all.Left))
		line.at(progress{What: service, Done: looked, Of: of, Unit: "dead letter", Note: fmt.Sprintf("%d redriven", all.Redriven)}.paced(time.Since(began)))
		var reply contract.Redriven
		if _, err := l.ask(ctx, contract.VerbRedrive, service, req, &reply); err != nil {
			return fmt.Errorf("%s redriven, and then: %w", plural(all.Redriven, "dead letter"), err)
		}
		all.Redriven += reply.Redriven
		all.Left = append(all.Left, reply.Left...)
		all.More, all.Next = reply.More, reply.Next
		if body, err = json.Marshal(all); err != nil {
			return fmt.Errorf("join the replies: %w", err)
		}
	}
	line.leave()
	if left := notRedriven(&all); left != nil {
		left.reply = body
		return a.incomplete(left, func(w io.Writer) error { return showRedriven(w, &all) })
	}
	if a.json {
		return a.printJSON(body)
	}
	return showRedriven(a.out, &all)
}

// lettersOf is how many letters a request is about, for the progress; 0 if nothing is shown,
// or if it cannot be told.
func (a *app) lettersOf(ctx context.Context, l *connection, line *progressLine, service string, req contract.Redrive) uint64 {
	if !line.wanted() {
		return 0
	}
	if !req.All {
		return uint64(len(req.Seqs))
	}
	var lane contract.LaneStatus
	if _, err := l.ask(ctx, contract.VerbDescribe, service, contract.Describe{}, &lane); err != nil {
		return 0 // the redrive itself says what is wrong
	}
	return lane.DeadLetters
}
