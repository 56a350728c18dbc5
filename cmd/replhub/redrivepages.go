package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/replhub/replhub/internal/contract"
)

// redrive asks until every letter was looked at, and shows the replies as one.
func (a *app) redrive(ctx context.Context, service string, req contract.Redrive) error {
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	var all contract.Redriven
	body, err := l.ask(ctx, contract.VerbRedrive, service, req, &all)
	if err != nil {
		return err
	}
	for all.More && all.Next > req.After {
		req.After = all.Next
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
	if left := notRedriven(&all); left != nil {
		left.reply = body
		return a.incomplete(left, func(w io.Writer) error { return showRedriven(w, &all) })
	}
	if a.json {
		return a.printJSON(body)
	}
	return showRedriven(a.out, &all)
}
