package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/replhub/replhub/hub/internal/console/view"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// mostAtOnce bounds the letters of one request of redrive.
const mostAtOnce = 10_000

// groupOf is the group that a form names, with its letters up to the sequence that the
// confirmation showed.
func (c *Console) groupOf(ctx context.Context, form url.Values) (view.Group, error) {
	page, err := c.groups(ctx, form.Get("service"))
	if err != nil {
		return view.Group{}, err
	}
	upTo, err := strconv.ParseUint(form.Get("upto"), 10, 64)
	if err != nil {
		return view.Group{}, contract.FieldErrorf(contract.CodeInvalidValue, "upto", "%q is no sequence", form.Get("upto"))
	}
	g, found := view.Find(page.Groups, form.Get("group"), upTo)
	if !found {
		return view.Group{}, contract.Errorf(contract.CodeNotFound, "this group has no dead letters any more")
	}
	return g, nil
}

func (c *Console) confirmRedriveGroup(ctx context.Context, form url.Values) (confirmation, error) {
	g, err := c.groupOf(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmation{
		Title: "Redrive " + view.Plural(uint64(g.Count), "dead letter") + " of " + g.Service, Button: "Redrive",
		What: []string{
			"They go back into the lane of " + g.Service + ", with the filter and fields that are registered now, and leave the dead letters.",
			"All of them have the reason " + g.Reason + " and the error: " + g.Pattern,
			"Those that still fail become dead letters again. Dead letters that arrived since are not touched.",
		},
		Form: form, Back: "/letters",
	}, nil
}

func (c *Console) doRedriveGroup(ctx context.Context, form url.Values) (outcome, error) {
	g, err := c.groupOf(ctx, form)
	if err != nil {
		return outcome{}, err
	}
	var all outcome
	for seqs := range slices.Chunk(g.Seqs, mostAtOnce) {
		done, err := c.redriven(ctx, g.Service, contract.Redrive{Seqs: seqs})
		if err != nil {
			return outcome{}, err
		}
		all.Did, all.Left = append(all.Did, done.Did...), append(all.Left, done.Left...)
	}
	all.Title, all.Back = "Redriven", "/letters"
	return all, nil
}

// redriven asks until every letter was looked at.
func (c *Console) redriven(ctx context.Context, service string, req contract.Redrive) (outcome, error) {
	total, left := 0, []string{}
	for {
		reply, err := ask[contract.Redriven](ctx, c, contract.VerbRedrive, service, req)
		if err != nil && total > 0 {
			return outcome{}, contract.Errorf(contract.CodeUnavailable, "%s redriven, and then: %s", view.Plural(uint64(total), "dead letter"), textOf(err))
		}
		if err != nil {
			return outcome{}, err
		}
		total += reply.Redriven
		for _, l := range reply.Left {
			left = append(left, fmt.Sprintf("Letter %d stays: %s", l.Seq, l.Message))
		}
		if !reply.More || reply.Next <= req.After {
			break
		}
		req.After = reply.Next
	}
	return outcome{
		Title: "Redriven", Did: []string{view.Plural(uint64(total), "event") + " went back into the lane of " + service + "."}, Left: left, Back: servicePath(service),
	}, nil
}

func (c *Console) confirmRemoveGroup(ctx context.Context, form url.Values) (confirmation, error) {
	g, err := c.groupOf(ctx, form)
	if err != nil {
		return confirmation{}, err
	}
	return confirmation{
		Title: "Remove " + view.Plural(uint64(g.Count), "dead letter") + " of " + g.Service, Button: "Remove for good", Danger: true,
		What: []string{
			"Nobody receives these events any more: " + g.Service + " lacks the changes until the rows change again.",
			"All of them have the reason " + g.Reason + " and the error: " + g.Pattern,
		},
		Form: form, Back: "/letters",
	}, nil
}

func (c *Console) doRemoveGroup(ctx context.Context, form url.Values) (outcome, error) {
	g, err := c.groupOf(ctx, form)
	if err != nil {
		return outcome{}, err
	}
	service, err := subjects.ParseName(g.Service)
	if err != nil {
		return outcome{}, contract.Errorf(contract.CodeInvalidName, "%v", err)
	}
	queue, removed := c.cfg.Source().DeadLetters, 0
	for _, seq := range g.Seqs {
		l, err := queue.Letter(ctx, service, seq)
		if errors.Is(err, deadletter.ErrNoLetter) {
			continue // somebody was faster
		}
		if err == nil {
			err = queue.Remove(ctx, l)
		}
		if err != nil {
			return outcome{}, contract.Errorf(contract.CodeUnavailable, "%s removed, and then: %v", view.Plural(uint64(removed), "dead letter"), err)
		}
		removed++
	}
	return outcome{Title: "Removed", Did: []string{view.Plural(uint64(removed), "dead letter") + " of " + g.Service + " are gone."}, Back: "/letters"}, nil
}
