package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// progress is how far long work is: verify, backfill, redrive, erase, and the resync of a
// capture.
type progress struct {
	// What is the step, in a few words.
	What string `json:"what"`
	// Done of Of units are done; Of is 0 where that is not known, and Unit is empty where
	// nothing is counted.
	Done uint64 `json:"done"`
	Of   uint64 `json:"of,omitempty"`
	Unit string `json:"unit,omitempty"`
	// PerSecond and RemainingSeconds are 0 until they can be told.
	PerSecond        float64 `json:"per_second,omitempty"`
	RemainingSeconds float64 `json:"remaining_seconds,omitempty"`
	// Note is what else there is to say, such as what the work waits for.
	Note string `json:"note,omitempty"`

	line string // takes the place of the text for people
}

// paced adds the rate of what was done in a time, and the time that remains at that rate.
func (p progress) paced(took time.Duration) progress {
	if p.Done == 0 || took <= 0 {
		return p
	}
	p.PerSecond = float64(p.Done) / max(took.Seconds(), 0.001)
	if p.Of > p.Done {
		p.RemainingSeconds = float64(p.Of-p.Done) / p.PerSecond
	}
	return p
}

// text is the progress as a line: "user: compare: 20 rows, 10/s, about 5s to go".
func (p progress) text() string {
	if p.line != "" {
		return p.line
	}
	text := p.What
	if p.Unit != "" && p.Done > 0 {
		text += ": " + plural(p.Done, p.Unit)
	}
	if p.PerSecond > 0 {
		text += fmt.Sprintf(", %.0f/s", p.PerSecond)
	}
	if p.RemainingSeconds > 0 {
		text += fmt.Sprintf(", about %s to go", humanDuration(time.Duration(p.RemainingSeconds*float64(time.Second))))
	}
	if p.Note != "" {
		text += "; " + p.Note
	}
	return strings.TrimPrefix(text, ": ")
}

// progressEvery is the least time between two lines of progress that stay.
const progressEvery = time.Second

// progressLine shows how far a verb is, on standard error: on a terminal on one line that
// is written over. Elsewhere, and with --json, it shows nothing, unless --progress asks for
// it: then a line each second, with --json as JSON.
type progressLine struct {
	app  *app
	open bool
	last time.Time // of a line that stays
}

// wanted reports whether anything is shown.
func (p *progressLine) wanted() bool {
	return p.app.progress || !p.app.json && p.app.isTerminal(p.app.errOut)
}

// at shows progress.
func (p *progressLine) at(now progress) {
	if p.app.json && p.app.progress {
		body, err := json.Marshal(map[string]progress{"progress": now})
		if err != nil {
			return // a structure of numbers and texts has JSON
		}
		p.stay(string(body))
		return
	}
	p.show(now.text())
}

func (p *progressLine) show(text string) {
	switch {
	case !p.wanted() || p.app.json:
	case p.app.isTerminal(p.app.errOut):
		p.open = true
		fmt.Fprint(p.app.errOut, overwriteLine+printable(text))
	default:
		p.stay(printable(text))
	}
}

// stay prints a line that stays, if the one before is old enough.
func (p *progressLine) stay(line string) {
	if time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	fmt.Fprintln(p.app.errOut, line)
}

// leave clears the line.
func (p *progressLine) leave() {
	if p.open {
		p.open = false
		fmt.Fprint(p.app.errOut, overwriteLine)
	}
}

// lines prints lines until one cannot be printed.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) printf(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}
