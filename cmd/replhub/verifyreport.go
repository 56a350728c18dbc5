package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/replhub/replhub/inbox"
)

// verifyReport is the result of verify, for all tables.
type verifyReport struct {
	Service string          `json:"service"`
	Equal   bool            `json:"equal"`
	Tables  []verifiedTable `json:"tables"`
}

// verifiedTable is the result for one table: what was found, and, after a repair, what
// differs still.
type verifiedTable struct {
	inbox.Verified

	Seconds float64 `json:"seconds"`
	// Repaired counts the rows that were repaired, and After is the comparison of these rows
	// after the repair.
	Repaired int             `json:"repaired,omitempty"`
	After    *inbox.Verified `json:"after_repair,omitempty"`
}

// equal reports whether the replica is equal now. The comparison after a repair is of the
// rows that were repaired alone.
func (t *verifiedTable) equal() bool {
	if t.After != nil {
		return t.After.Equal && !t.Partly && t.Moving == 0 && t.Unjudged == 0
	}
	return t.Equal
}

// moving counts the rows that changed at every look.
func (t *verifiedTable) moving() int {
	if t.After != nil {
		return t.Moving + t.After.Moving
	}
	return t.Moving
}

func (r *verifyReport) verdict() string {
	var parts []string
	for n := range r.Tables {
		if t := &r.Tables[n]; !t.equal() {
			parts = append(parts, t.verdict())
		}
	}
	return strings.Join(parts, "; ")
}

func (t *verifiedTable) verdict() string {
	v := &t.Verified
	if t.After != nil {
		v = t.After
	}
	text := fmt.Sprintf("%s was not found equal to %s: %d missing, %d extra, %d different", t.Table, t.Entity, v.Missing, v.Extra, v.Different)
	if n := t.moving(); n > 0 {
		text += fmt.Sprintf("; %s changed at every look: verify again when less changes, or with a longer --wait", plural(n, "row"))
	}
	if t.Unjudged > 0 {
		text += fmt.Sprintf("; %s could not be judged: correct the filter or the fields, or the owner's rows", plural(t.Unjudged, "row"))
	}
	if t.Partly {
		text += "; too many rows differ to look at each row: verify again after the repair"
	}
	return text
}

// show prints the report.
func (r *verifyReport) show(w io.Writer, values bool) error {
	out := &lines{w: w}
	for n := range r.Tables {
		t := &r.Tables[n]
		state := "equal"
		switch {
		case len(t.Keys) > 0:
			state = "different"
		case !t.Equal:
			state = "not compared in full"
		}
		out.printf("%s: %s: %s, %d missing, %d extra, %d different, in %s", t.Entity, state, plural(max(t.Rows, t.OwnerRows), "row"),
			t.Missing, t.Extra, t.Different, humanDuration(time.Duration(t.Seconds*float64(time.Second))))
		if len(t.Unchecked) > 0 {
			out.printf("not compared: the columns %s, which are converted", strings.Join(t.Unchecked, ", "))
		}
		if t.Moving > 0 {
			out.printf("changing: %s that changed in the replica at every look, and are not counted as different", plural(t.Moving, "row"))
		}
		if t.Unjudged > 0 {
			out.printf("not judged: %s to which the service's filter or fields cannot be applied", plural(t.Unjudged, "row"))
		}
		if out.err == nil {
			out.err = showDifferences(w, t.Differences, t.LeftOut, values)
		}
		if t.After != nil {
			out.printf("%s: repaired %s; afterwards %d missing, %d extra, %d different", t.Entity, plural(t.Repaired, "row"), t.After.Missing, t.After.Extra, t.After.Different)
			if t.After.Moving > 0 {
				out.printf("changing: %s afterwards", plural(t.After.Moving, "row"))
			}
		}
	}
	return out.err
}

func showDifferences(w io.Writer, all []inbox.Difference, leftOut int, values bool) error {
	if len(all) == 0 {
		return nil
	}
	out := newTable("KEY", "KIND", "COLUMNS")
	for _, d := range all {
		out.row(printable(d.Key), d.Kind, differing(d, values))
	}
	if err := out.print(w); err != nil {
		return err
	}
	if leftOut > 0 {
		_, err := fmt.Fprintf(w, "and %d others\n", leftOut)
		return err
	}
	return nil
}

func differing(d inbox.Difference, values bool) string {
	texts := make([]string, len(d.Columns))
	for n, c := range d.Columns {
		texts[n] = c.Name
		if values {
			texts[n] = fmt.Sprintf("%s: %s, here %s", c.Name, shownValue(c.Owner), shownValue(c.Replica))
		}
	}
	if len(texts) == 0 {
		return "-"
	}
	return strings.Join(texts, ", ")
}

func shownValue(value *string) string {
	if value == nil {
		return "NULL"
	}
	return printable(*value)
}

// comparison is how far a comparison is.
func comparison(entity string, p inbox.VerifyProgress, now time.Time) progress {
	return progress{What: entity + ": " + p.Step, Done: p.Rows, Of: p.Of, Unit: "row"}.paced(now.Sub(p.Began))
}
