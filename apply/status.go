package apply

import (
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// Status is the state of an instance at one moment.
type Status struct {
	// Running says that the checks are done and rows are written as they come.
	Running bool
	// Looked is when the hub last reported the lane's status; zero before the first
	// report.
	Looked time.Time
	// Tables are the tables, in the order of the config, with their counts so far.
	Tables []TableSummary
	// Away describes an outage of the database, and Waiting counts changes that wait for
	// other rows.
	Away    replhub.SubscriberState
	Waiting replhub.Waiting
	// Lane is the service's lane as it was last looked at; nil before.
	Lane *replhub.Status
	// Unmapped are the members that no column takes and the columns without a member.
	Unmapped []inbox.Unmapped
}

// Status may be called at any time, from any goroutine.
func (a *Applier) Status() Status {
	s := Status{Lane: a.lane.Load(), Tables: a.tables()}
	if at := a.looked.Load(); at != nil {
		s.Looked = *at
	}
	if sub := a.sub.Load(); sub != nil {
		s.Away, s.Waiting = sub.State(), sub.Waiting()
		select {
		case <-sub.Ready():
			s.Running = true
		default:
		}
	}
	for _, r := range a.replicas {
		if _, t := r.known(); t != nil {
			s.Unmapped = append(s.Unmapped, t.Unmapped()...)
		}
	}
	return s
}

// Degraded returns the faults of the instance, one sentence for each.
func (s Status) Degraded() []string {
	var all []string
	if s.Away.Unavailable {
		all = append(all, fmt.Sprintf("the database is unavailable since %s: %v", s.Away.Since.UTC().Format(time.RFC3339), s.Away.Err))
	}
	if n := s.Waiting.ForRow + s.Waiting.ForUnique; n > 0 {
		all = append(all, fmt.Sprintf("%d rows wait for other rows since %s", n, s.Waiting.Since.UTC().Format(time.RFC3339)))
	}
	if s.Lane == nil {
		return all
	}
	if s.Lane.State == replhub.StateStalled || s.Lane.State == replhub.StateDetached || s.Lane.State == replhub.StateIncompatible {
		all = append(all, fmt.Sprintf("the lane is %s: %s", s.Lane.State, s.Lane.Reason))
	}
	for _, f := range s.Lane.Fills {
		if f.Waits != "" {
			all = append(all, fmt.Sprintf("rows of %v do not come: %s", f.Entities, f.Waits))
		}
	}
	if s.Lane.DeadLetters > 0 {
		all = append(all, fmt.Sprintf("%d changes are dead letters: see 'replhub dlq ls'", s.Lane.DeadLetters))
	}
	return all
}

// tables are the tables with their counts.
func (a *Applier) tables() []TableSummary {
	all := make([]TableSummary, 0, len(a.replicas))
	for _, r := range a.replicas {
		t := TableSummary{
			Entity: r.spec.Entity, Table: r.spec.Table,
			Applied: r.counts.applied.Load(), Deleted: r.counts.deleted.Load(),
			Passed: r.counts.stale.Load() + r.counts.duplicate.Load(), DeadLetters: r.counts.dead.Load(),
		}
		if m, known := r.known(); known != nil {
			t.Key = m.table.Key
			for _, c := range m.table.Columns {
				t.Columns = append(t.Columns, ColumnSummary{Column: c.Name, Member: c.Path})
			}
		}
		all = append(all, t)
	}
	return all
}
