// Package episode tells of trouble once: when it begins, when it has another
// reason than any before, and when it is over. It is over when work has gone well
// for some time, not when one attempt happened to succeed. Deciding is pure.
package episode

import (
	"slices"
	"strings"
	"time"
)

// maxReasons bounds the reasons that one episode tells apart.
const maxReasons = 8

// Episode is a time of trouble, or none. The zero value is none, and is over as
// soon as something goes well. Not for concurrent use; see Log.
type Episode struct {
	// Settle is for how long work must go well for the trouble to be over.
	Settle time.Duration

	began    time.Time
	reason   string
	cause    error
	told     []string // reasons without their numbers
	failures int
	// well is since when work has gone well without a failure; zero when the last
	// thing was one.
	well time.Time
}

// News is what is worth telling.
type News int

// What a failure or a success can mean to somebody who reads along.
const (
	Nothing News = iota
	Began        // trouble, and there was none before
	Changed      // trouble goes on, for a reason that was not told yet
	Over         // no trouble any more
)

// FailWith is Fail for an error, which Cause then returns.
func (e *Episode) FailWith(now time.Time, err error) News {
	news := e.Fail(now, err.Error())
	e.cause = err
	return news
}

// Fail notes a failure. Reasons that differ in their numbers alone are one.
func (e *Episode) Fail(now time.Time, reason string) News {
	e.failures++
	e.well = time.Time{}
	e.reason, e.cause = reason, nil
	kind := withoutNumbers(reason)
	if e.began.IsZero() {
		e.began, e.told = now, []string{kind}
		return Began
	}
	if len(e.told) == maxReasons || slices.Contains(e.told, kind) {
		return Nothing
	}
	e.told = append(e.told, kind)
	return Changed
}

// Succeed notes that something went well. After Over, lasted says how long it was
// from the first failure until things went well for good, and failures how many
// there were.
func (e *Episode) Succeed(now time.Time) (news News, lasted time.Duration, failures int) {
	if e.began.IsZero() {
		return Nothing, 0, 0
	}
	if e.well.IsZero() {
		e.well = now
	}
	if now.Sub(e.well) < e.Settle {
		return Nothing, 0, 0
	}
	lasted, failures = e.well.Sub(e.began), e.failures
	*e = Episode{Settle: e.Settle}
	return Over, lasted, failures
}

// Open reports whether there is trouble.
func (e *Episode) Open() bool { return !e.began.IsZero() }

// Since is when the trouble began; zero without any.
func (e *Episode) Since() time.Time { return e.began }

// Reason is the latest reason; empty without trouble.
func (e *Episode) Reason() string { return e.reason }

// Cause is the error of the latest failure; nil without trouble, and where Fail
// was told a reason in words.
func (e *Episode) Cause() error { return e.cause }

// Left is for how much longer work must go well; Settle when the last thing was a
// failure, 0 without trouble.
func (e *Episode) Left(now time.Time) time.Duration {
	switch {
	case e.began.IsZero():
		return 0
	case e.well.IsZero():
		return e.Settle
	}
	return max(e.Settle-now.Sub(e.well), 0)
}

func withoutNumbers(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, s)
}
