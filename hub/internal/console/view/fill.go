package view

import (
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// FillLine is how far a fill has come.
type FillLine struct {
	Kind, Entities, Filter, Stalled, Done, Rate, Remaining string
	// Ratio is in percent; Known is false where the end is not known: of rows whose owner does not
	// say how many there are.
	Ratio int
	Known bool
}

// maxSeen bounds the fills that a Progress remembers.
const maxSeen = 1000

// Progress remembers where fills were first seen, to tell their rates. It may be used
// concurrently.
type Progress struct {
	mu   sync.Mutex // guards seen
	seen map[string]seen
}

// seen is where a fill was.
type seen struct {
	at   uint64
	when time.Time
}

// NewProgress makes an empty Progress.
func NewProgress() *Progress { return &Progress{seen: make(map[string]seen)} }

// line is a fill, and what it did since it was first seen.
func (p *Progress) line(service string, f *contract.FillStatus, now time.Time) FillLine {
	line := FillLine{Kind: f.Kind, Entities: strings.Join(f.Entities, ", "), Filter: f.Filter, Stalled: f.Stalled}
	if f.OfRows() {
		line.Done = Plural(f.Rows, "row")
		if f.Total > 0 { // about, and a table grows
			line.Known, line.Ratio = true, int(100*min(f.Rows, f.Total)/f.Total)
			line.Done = Count(f.Rows) + " of about " + Plural(max(f.Total, f.Rows), "row")
		}
		rate := p.rate(service+" "+f.ID, f.Rows, now, f.Stalled != "")
		if rate > 0 && f.Total > f.Rows {
			line.Remaining = Seconds(float64(f.Total-f.Rows) / rate)
		}
		if rate == 0 && f.Began != nil && f.Stalled == "" { // the first look: waits are in it
			rate = float64(f.Rows) / max(now.Sub(*f.Began).Seconds(), 1)
		}
		if rate > 0 {
			line.Rate = Rate(rate)
		}
		return line
	}
	// The end is the live position, which may be read a moment earlier.
	to := max(f.To, f.At)
	done, all := f.At-min(f.From, f.At), to-min(f.From, to)
	line.Known, line.Ratio = true, 100
	if all > 0 {
		line.Ratio = int(100 * done / all)
	}
	line.Done = Count(done) + " of " + Plural(all, "event")
	rate := p.rate(service+" "+line.Entities, f.At, now, false)
	if rate > 0 {
		line.Rate, line.Remaining = Rate(rate), Seconds(float64(to-f.At)/rate)
	}
	return line
}

// rate is events or rows in a second since the fill was first seen, or last waited; 0 when
// that is not known.
func (p *Progress) rate(id string, at uint64, now time.Time, waits bool) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.seen[id]
	if !known || at < before.at || waits {
		if len(p.seen) >= maxSeen {
			clear(p.seen)
		}
		p.seen[id] = seen{at, now}
		return 0
	}
	elapsed := now.Sub(before.when).Seconds()
	if elapsed <= 0 {
		return 0
	}
	return float64(at-before.at) / elapsed
}
