package view

import "strings"

// Advised is a reason of degraded and what to do about it.
type Advised struct {
	Text, Advice string
	// Service is the one whose page shows more; empty for none.
	Service string
}

// rules tell what to do by what a reason of degraded begins with, and for a lane by the
// word behind the lane's name.
func rules() []struct{ begins, advice string } {
	return []struct{ begins, advice string }{
		{"registry unreachable", "Events flow on by the lanes' own records; registrations wait. Start the registry's servers again, or correct their address."},
		{"stream ", "The hub creates it again by itself. Find out who deletes streams of the hub: the server's log and the permissions of the account say."},
		{"detached", "Events that the service still needed are gone. Register it again with a start: \"snapshot\" for the owner's rows, \"all\" for what ingest holds, or a time."},
		{"is incompatible", "A newer hub wrote this lane. Upgrade this hub; do not delete anything."},
		{"held", "Nothing is copied until the policy is in force again; the hubs do that by themselves. Where it stays, look at the log of the lane's owner."},
		{"stalled", "The reason is the error of an append. If the lane is full, its workers are behind: look at the backlog, and at the errors of the instances. If the service has too many dead letters, redrive or remove some."},
		{"waits for a snapshot", "Start an instance of the entity's owner that serves its rows (ServeSnapshot), or end the interest."},
		{"lacks", "The hub repairs it by itself and tries again; the log of the lane's owner has the error."},
	}
}

// unknownAdvice is for a reason that no rule knows.
const unknownAdvice = "The text names the fault; the log of this hub and docs/operations.md have more."

// Advise says what to do about a reason of degraded.
func Advise(text string) Advised {
	a := Advised{Text: text, Advice: unknownAdvice}
	rest := text
	if after, ok := strings.CutPrefix(text, "lane "); ok {
		a.Service, rest, _ = strings.Cut(after, " ")
		a.Service = strings.TrimSuffix(a.Service, ":")
	}
	for _, rule := range rules() {
		if strings.HasPrefix(rest, rule.begins) {
			a.Advice = rule.advice
			break
		}
	}
	return a
}
