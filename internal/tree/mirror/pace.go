package mirror

import "time"

const (
	// paceShare is how many times as long as the step the time from one step to the next is.
	paceShare = 10
	// longestPace bounds the pause behind a step.
	longestPace = time.Second
)

// Pace spaces out a step that takes longer the more there is, such as copying all
// records when one has changed: together the steps take a tenth of the time. The
// zero value lets the first step be taken at once.
type Pace struct{ next time.Time }

// Step takes a step and notes how long it took.
func (p *Pace) Step(step func()) {
	began := time.Now()
	step()
	now := time.Now()
	p.next = now.Add(min((paceShare-1)*now.Sub(began), longestPace))
}

// Next is when the next step is due; it may be past.
func (p *Pace) Next() time.Time { return p.next }

// Due reports whether the next step is.
func (p *Pace) Due() bool { return !time.Now().Before(p.next) }
