package view

import (
	"fmt"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Fate is what became of an event for one service.
type Fate struct {
	Service string
	// Outcome is a word, Level how well it is.
	Outcome string
	Level   Level
	// Story says it in sentences.
	Story []string
}

// NewFate makes a reply of explain readable.
func NewFate(e *contract.Explained) Fate {
	f := Fate{Service: e.Service, Outcome: strings.ReplaceAll(e.Verdict, "_", " "), Level: Good}
	if e.Verdict != contract.VerdictDeadLettered || len(e.Letters) == 0 { // the letters say it
		f.Story = append(f.Story, sentence(e.Reason))
	}
	switch e.Verdict {
	case contract.VerdictDeadLettered, contract.VerdictDetached:
		f.Level = Bad
	case contract.VerdictPending, contract.VerdictGone:
		f.Level = Warn
	}
	if c := e.Copy; c != nil {
		f.Outcome = strings.ReplaceAll(c.State, "_", " ")
		f.Story = append(f.Story, copyStory(c))
		switch c.State {
		case contract.CopyGivenUp:
			f.Level = Bad
		case contract.CopyWaiting, contract.CopyDelivered, contract.CopyUnknown:
			f.Level = Warn
		}
	}
	for _, seq := range e.Redriven {
		f.Story = append(f.Story, fmt.Sprintf("It came back from the dead letters as message %d of the lane.", seq))
	}
	for i := range e.Letters {
		l := &e.Letters[i]
		f.Level = Bad
		text := fmt.Sprintf("Dead letter %d: %s: %s", l.Seq, l.Reason, l.Error)
		if l.Attempts > 0 {
			text += " (after " + Plural(l.Attempts, "attempt") + ")"
		}
		f.Story = append(f.Story, text+".")
	}
	for _, text := range e.Unknown {
		f.Story = append(f.Story, "Not known: "+text+".")
	}
	return f
}

func copyStory(c *contract.ExplainedCopy) string {
	text := fmt.Sprintf("Its copy is message %d of the lane", c.Seq)
	if c.Consumer != "" {
		text += ", in the queue " + c.Consumer
	}
	if c.Delivered != nil {
		text += ", delivered " + Plural(*c.Delivered, "time")
	}
	return text + "."
}

// FateOf is the fate where explain was refused.
func FateOf(service string, err error) Fate {
	return Fate{Service: service, Outcome: "not known", Level: Warn, Story: []string{err.Error()}}
}
