// Package episode reports trouble once: when it begins, when it has a new reason, and
// when it is over. Trouble is over when work has succeeded for some time, not at the
// first success. The package's decisions are pure.
package episode

import (
	"slices"
	"strings"
	"time"
)

// maxReasons bounds the reasons that one episode distinguishes.
const maxReasons = 8

// Episode is a time of trouble, or none. The zero value means no trouble; its trouble
// is over at the first success. It must not be used concurrently; see Log.
type Episode struct {
	// Settle is how long work must succeed before the trouble counts as over.
	Settle time.Duration

	began    time.Time
	reason   string
	cause    error
	told     []string // reasons without their numbers
	failures int
	// well is since when work has succeeded without a failure; zero when the last
	// result was a failure.
	well time.Time
}

// News is the part of a result that is worth reporting.
type News int

// The kinds of news.
const (
	Nothing News = iota
	Began        // trouble, and there was none before
	Changed      // trouble continues for a reason that was not reported yet
	Over         // no trouble any more
)

// FailWith is Fail for an error, which Cause then returns.
func (e *Episode) FailWith(now time.Time, err error) News {
	news := e.Fail(now, err.Error())
	e.cause = err
	return news
}

// Fail notes a failure. Reasons that differ only in numbers count as the same.
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

// Succeed notes a success. With Over, lasted is the time from the first failure to
// the beginning of the lasting success, and failures is the number of failures.
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

// Cause is the error of the latest failure; nil without trouble, and if Fail was
// called with a text.
func (e *Episode) Cause() error { return e.cause }

// Left is how much longer work must succeed; Settle when the last result was a
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
