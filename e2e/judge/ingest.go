package judge

// Result is what a publisher knows of an attempt.
type Result string

// Results of attempts. An attempt that was retried under its id is one.
const (
	Invoked Result = "invoked" // sent, no answer yet
	Acked   Result = "acked"   // stored, under a sequence
	Refused Result = "refused" // not stored
	Unknown Result = "unknown" // given up without an answer
)

// Attempt is one event that somebody tried to publish.
type Attempt struct {
	ID     string
	Result Result
	// Epoch and Seq of an acknowledgement.
	Position
}

// Ingest is all that a judgement of ingest is made of.
type Ingest struct {
	Events   []Event
	Attempts []Attempt
	// ByHand lets events without an id pass, which the test published itself.
	ByHand bool
}

// Judge compares ingest with what publishers know.
func (g Ingest) Judge() Verdict {
	v := Verdict{Service: "ingest"}
	attempts := make(map[string]Attempt, len(g.Attempts))
	for _, a := range g.Attempts {
		attempts[a.ID] = a
	}
	at := make(map[string]Position, len(g.Events))
	for _, e := range g.Events {
		id := e.ID()
		if id == "" && g.ByHand {
			continue
		}
		a, known := attempts[id]
		switch {
		case !known || a.Result == Refused:
			v.nowhere("event %s with id %q", e.Position, id)
			continue
		case at[id] != Position{}:
			v.twice("event %s with id %q, first at %s", e.Position, id, at[id])
			continue
		}
		at[id] = e.Position
	}
	v.Copies = len(g.Events)
	for i, a := range g.Attempts {
		if a.Result != Acked {
			continue
		}
		switch p := at[a.ID]; {
		case p == Position{}:
			v.lost(placeOf(i, len(g.Attempts)), "id %q, acknowledged at %s", a.ID, a.Position)
		case p.Seq != a.Seq:
			v.wrong("id %q acknowledged at %s is at %s", a.ID, a.Position, p)
		}
	}
	return v
}

func placeOf(i, n int) Place {
	if i == n-1 {
		return Tail
	}
	return Middle
}
