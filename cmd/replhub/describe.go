package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newDescribe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "describe <service>",
		GroupID: groupServices,
		Short:   "Show a service's interests, lane and workers",
		Long: `Show a service's interests, the state of its lane and the reason for that state, the
position in the ingest stream, the backlog, and the consumers.`,
		Example: `  replhub describe sharing
  replhub describe sharing --json | jq .backlog`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
		RunE: a.verb(func(ctx context.Context, args []string) error {
			return exchangePages(ctx, a, lanePages(args[0]), showLane)
		}),
	}
}

func showLane(w io.Writer, s *contract.LaneStatus) error {
	return printTables(w, laneTable(s), interestTable(s.Interests, false), policyTable(s.Interests), workerTable(s.Workers, s.Queue.Order == orderKey))
}

func laneTable(s *contract.LaneStatus) *table {
	t := newTable("service", s.Service)
	t.pair("stream", s.Stream)
	t.pair("state", stateText(s))
	t.pair("reason", s.Reason)
	t.pair("owner", s.Owner)
	t.pair("position", fmt.Sprintf("event %d, epoch %d", s.Seq, s.Epoch))
	t.pair("lag", lagText(s))
	if s.Fill != nil {
		t.pair("filling", fillText(s.Fill))
	}
	for i := range s.OtherFills {
		t.pair("then", fillText(&s.OtherFills[i]))
	}
	t.pair("backlog", backlogText(s))
	t.pair("holds", fmt.Sprintf("%s, %s of %s", plural(s.Messages, "message"), humanBytes(s.Bytes), humanBytes(s.MaxBytes)))
	t.pair("queue", queueText(s.Queue))
	for i := range s.Unavailable {
		t.pair("waits", unavailableText(&s.Unavailable[i]))
	}
	if s.DeadLettersUnknown {
		t.pair("dead letters", "unknown: they cannot be counted now")
	} else {
		t.pair("dead letters", count(s.DeadLetters))
	}
	return t
}

// unavailableText is since when an instance waits, and for what.
func unavailableText(u *contract.Unavailable) string {
	return fmt.Sprintf("instance %s since %s, %s: %s", u.Instance, humanTime(u.Since), plural(u.Attempts, "attempt"), u.Error)
}

// rowsText is how many rows were copied, of about how many if that is known.
func rowsText(rows, total uint64) string {
	if total == 0 {
		return plural(rows, "row")
	}
	return fmt.Sprintf("%s of about %s", count(rows), plural(max(rows, total), "row"))
}

// fillText is how far a fill is, and why it waits.
func fillText(f *contract.FillStatus) string {
	entities := list(f.Entities, "-")
	if !f.OfRows() {
		return fmt.Sprintf("%s: event %d of %d to %d", entities, f.At, f.From, f.To)
	}
	what := "its owner's snapshot"
	if f.Kind == contract.FillBackfill {
		what = "a backfill"
		if f.Filter != "" {
			what += " where " + f.Filter
		}
	}
	text := fmt.Sprintf("%s: %s of %s", entities, rowsText(f.Rows, f.Total), what)
	if f.After != "" {
		text += fmt.Sprintf(", up to key %q", f.After)
	}
	if f.Kind == contract.FillBackfill && f.Began != nil {
		text += ", since " + humanTime(*f.Began)
	}
	if f.Stalled != "" {
		text += "; waits: " + f.Stalled
	}
	return text
}

func stateText(s *contract.LaneStatus) string {
	if s.Since == nil {
		return s.State
	}
	return s.State + " since " + humanTime(*s.Since)
}

func lagText(s *contract.LaneStatus) string {
	if s.Lag == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, oldest %s", plural(s.Lag, "event"), humanAge(s.LagSeconds))
}

func backlogText(s *contract.LaneStatus) string {
	if s.Backlog == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, oldest %s", plural(s.Backlog, "event"), humanAge(s.OldestUnacked))
}

func queueText(q contract.Queue) string {
	order := "no order"
	if q.Order == orderKey {
		order = fmt.Sprintf("ordered by key in %s", plural(q.Partitions, "partition"))
	}
	return fmt.Sprintf("%s, %s to acknowledge, at most %s", order, humanDuration(time.Duration(q.AckWait)), plural(q.MaxDeliver, "delivery attempt"))
}

// interestTable lists interests, with their services where these differ.
func interestTable(interests []contract.InterestStatus, withService bool) *table {
	head := []string{"ENTITY", "OPS", "FILTER", "FIELDS", "ECHO", "DUE FROM"}
	if withService {
		head = append([]string{"SERVICE"}, head...)
	}
	t := newTable(head...)
	for i := range interests {
		in := &interests[i]
		due := count(in.Since)
		if in.Filling {
			due += " (filling)"
		}
		echo := "no"
		if in.Echo {
			echo = "yes"
		}
		filter := in.Filter
		if filter == "" {
			filter = "-"
		}
		cells := []string{in.Entity, list(in.Ops, "-"), filter, list(in.Fields, "all"), echo, due}
		if withService {
			cells = append([]string{in.Service}, cells...)
		}
		t.row(cells...)
	}
	return t
}

// policyTable lists what policies mean for interests; nil without a policy.
func policyTable(interests []contract.InterestStatus) *table {
	t := newTable("POLICY OF", "GIVES", "FIELDS", "OPS", "FILTER", "REASON")
	for i := range interests {
		p := interests[i].Policy
		if p == nil {
			continue
		}
		t.row(append([]string{interests[i].Entity, policyState(p.State)}, append(grantCells(p), p.Reason)...)...)
	}
	if len(t.rows) == 1 {
		return nil // the head alone
	}
	return t
}

// policyState is what a service gets, in a word.
func policyState(state string) string {
	switch state {
	case contract.PolicyFull:
		return "all"
	case contract.PolicyNarrowed:
		return "a part"
	}
	return "nothing"
}

func grantCells(p *contract.InterestPolicy) []string {
	if p.State == contract.PolicySuspended {
		return []string{"-", "-", "-"}
	}
	return cellsOfGrant(p.Grant)
}

func cellsOfGrant(g contract.Grant) []string {
	filter := g.Filter
	if filter == "" {
		filter = "-"
	}
	return []string{list(g.Fields, "all"), list(g.Ops, "all"), filter}
}

// workerTable lists consumers, with the instance that holds each where keys are
// shared out.
func workerTable(workers []contract.WorkerStatus, withHolder bool) *table {
	head := []string{"CONSUMER", "WAITING", "PENDING", "UNACKED", "REDELIVERED", "PAUSED UNTIL"}
	if withHolder {
		head = append(head, "HOLDER")
	}
	t := newTable(head...)
	for i := range workers {
		worker := &workers[i]
		paused := "-"
		if worker.PausedUntil != nil {
			paused = humanTime(*worker.PausedUntil)
		}
		cells := []string{worker.Consumer, count(worker.Waiting), count(worker.Pending), count(worker.AckPending), count(worker.Redelivered), paused}
		if withHolder {
			cells = append(cells, holderText(worker))
		}
		t.row(cells...)
	}
	return t
}

// holderText is who has a partition, and who is to have it next.
func holderText(w *contract.WorkerStatus) string {
	switch {
	case w.Next == "":
		return cmp.Or(w.Holder, "-")
	case w.Holder == "":
		return "-, next " + w.Next
	default:
		return w.Holder + ", next " + w.Next
	}
}
