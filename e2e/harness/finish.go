package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/replhub/replhub/e2e/judge"
)

// Row is a scenario's result, printed as a line of JSON.
type Row struct {
	Scenario   string `json:"scenario"`
	Registry   string `json:"registry"`
	Seed       uint64 `json:"seed"`
	Faults     int    `json:"faults"`
	Tried      int    `json:"tried"`
	Acked      int    `json:"acked"`
	Unknown    int    `json:"unknown"`
	Copies     int    `json:"copies"`
	Lost       int    `json:"lost"`
	Duplicates int    `json:"duplicate_copies"`
	Reordered  int    `json:"reordered"`
	Wrong      int    `json:"wrong"`
	Nowhere    int    `json:"from_nowhere"`
	// Recovery is from the heal to the last copy due, in milliseconds.
	Recovery int64 `json:"recovery_ms"`
	// Took is the scenario's time in milliseconds.
	Took int64 `json:"took_ms"`
}

func (r *Row) add(v judge.Verdict) {
	r.Lost += v.LostTotal()
	r.Duplicates += v.Duplicates
	r.Reordered += v.Reordered
	r.Wrong += v.Wrong
	r.Nowhere += v.Nowhere
}

// Finish waits until every lane holds what it is due, at most within; judges
// ingest, lanes and letters; prints the row, and fails the test by it. Faults
// is how many there were. No writer may be at work.
func (w *World) Finish(scenario string, faults int, within time.Duration) Row {
	w.tb.Helper()
	healed := time.Now()
	return w.finish(Row{Scenario: scenario, Faults: faults}, healed, within, w.Events(1))
}

// FinishEvents is Finish over events that the scenario has put together.
func (w *World) FinishEvents(scenario string, faults int, within time.Duration, events []judge.Event) Row {
	w.tb.Helper()
	return w.finish(Row{Scenario: scenario, Faults: faults}, time.Now(), within, events)
}

func (w *World) finish(row Row, healed time.Time, within time.Duration, events []judge.Event) Row {
	w.tb.Helper()
	row.Registry, row.Seed = w.opts.Registry, w.opts.Seed
	w.awaitCopies(events, healed.Add(within))
	row.Recovery = time.Since(healed).Milliseconds()
	attempts := w.history.all()
	ingest := judge.Ingest{Events: events, Attempts: attempts, ByHand: true}.Judge()
	row.add(ingest)
	w.report(ingest)
	for _, a := range attempts {
		row.Tried++
		switch a.Result {
		case judge.Acked:
			row.Acked++
		case judge.Unknown, judge.Invoked:
			row.Unknown++
		case judge.Refused:
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		v := w.drained(name, events, healed.Add(within))
		row.Copies += v.Copies
		row.add(v)
		w.report(v)
		letters := judge.Letters(name, v.Dead, w.letters(name))
		row.add(letters)
		w.report(letters)
	}
	row.Took = time.Since(w.began).Milliseconds()
	line, err := json.Marshal(row)
	if err != nil {
		w.tb.Fatalf("encode the row: %v", err)
	}
	w.tb.Logf("ROW %s", line)
	return row
}

func (w *World) report(v judge.Verdict) {
	w.tb.Helper()
	if err := v.Err(); err != nil {
		w.tb.Error(err)
	}
}

// awaitCopies waits until the last copy due is in every lane, or the deadline.
// What is wrong with the copies is for the judge to say.
func (w *World) awaitCopies(events []judge.Event, deadline time.Time) {
	for _, s := range w.services {
		for _, r := range s.registrations {
			due, ok := r.LastDue(events)
			for ok && r.Until == 0 && time.Now().Before(deadline) {
				if at, err := w.lastCopy(s.name, r.Entity); err == nil && at.Compare(due) >= 0 {
					break
				}
				w.Let(pollEvery)
			}
		}
	}
}

// drained judges a lane again and again until nothing is missing.
func (w *World) drained(name string, events []judge.Event, deadline time.Time) judge.Verdict {
	w.tb.Helper()
	for {
		v := w.Verdict(name, events)
		if v.LostTotal() == 0 || time.Now().After(deadline) {
			return v
		}
		w.Let(50 * time.Millisecond)
	}
}

// letters are a service's dead letters of events that could not be expanded.
func (w *World) letters(name string) []judge.Message {
	w.tb.Helper()
	var found []judge.Message
	for _, m := range messagesOf(w.Read("DLQ")) {
		var service string
		if _, err := fmt.Sscanf(m.Subject, "dlq.%s", &service); err != nil {
			continue
		}
		if service[:min(len(service), len(name)+1)] == name+"." && m.Header["Replhub-Attempts"][0] == "0" {
			found = append(found, m)
		}
	}
	return found
}
