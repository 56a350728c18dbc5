package world

import (
	"fmt"
	"io"
	"time"

	"github.com/replhub/replhub/e2e/soak/tally"
)

// Report is what a run found.
type Report struct {
	Config
	tally.Totals

	// Acked events were acknowledged, of Unknown ones it is not known.
	Acked, Unknown uint64
	// LostAt is how many of the lost events were where in their registrations.
	LostAt                   map[tally.Place]uint64
	Took                     time.Duration
	Requests, Faults, Purges string
	// Findings are examples; Odd are things in words that should not happen, of
	// which there were Oddities.
	Findings []tally.Finding
	Odd      []string
	Oddities int
}

// report ends the accounts.
func (w *world) report() Report {
	r := Report{
		Config: w.cfg, Acked: w.events.Acked(), Unknown: w.pub.unknown.Load(), LostAt: make(map[tally.Place]uint64),
		Requests: w.requests.String(), Faults: w.faults.String(), Purges: w.purges.String(), Took: time.Since(w.began),
	}
	for _, s := range w.services {
		s.account.Forget()
		r.Totals = r.Add(s.account.Totals())
		for _, place := range []tally.Place{tally.Prefix, tally.Middle, tally.Tail} {
			r.LostAt[place] += s.account.Lost(place)
		}
		r.Findings = append(r.Findings, s.account.Findings()...)
	}
	r.Oddities, r.Odd = w.odd.all()
	return r
}

// Err is nil when every service got what it was due, once and in order.
func (r Report) Err() error {
	if r.Lost+r.Duplicates+r.Inversions+r.Wrong+uint64(r.Oddities) == 0 {
		return nil
	}
	return fmt.Errorf("%d events lost, %d copied twice, %d out of order, %d not due, %d oddities (seed %d)",
		r.Lost, r.Duplicates, r.Inversions, r.Wrong, r.Oddities, r.Seed)
}

// Print writes the report as a table, with examples.
func (r Report) Print(out io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-22s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintln(out)
	line("world", "%s, %d lanes, seed %d", r.Kind, r.Lanes, r.Seed)
	line("took", "%s", r.Took.Round(time.Second))
	line("events acknowledged", "%d", r.Acked)
	line("events unknown", "%d", r.Unknown)
	line("copies", "%d", r.Copies)
	line("redelivered", "%d", r.Redelivered)
	line("lost", "%d (prefix %d, middle %d, tail %d)", r.Lost, r.LostAt[tally.Prefix], r.LostAt[tally.Middle], r.LostAt[tally.Tail])
	line("copied twice", "%d", r.Duplicates)
	line("out of order", "%d", r.Inversions)
	line("not due", "%d", r.Wrong)
	line("of ended interests", "%d", r.Stray)
	line("purges", "%s", r.Purges)
	line("requests", "%s", r.Requests)
	line("faults", "%s", r.Faults)
	line("oddities", "%d", r.Oddities)
	for _, f := range r.Findings {
		fmt.Fprintf(out, "  %s\n", f)
	}
	for _, text := range r.Odd {
		fmt.Fprintf(out, "  odd: %s\n", text)
	}
}
