package judge

// Letters compares the dead letters of a service's events that could not be
// expanded with those that are due: exactly one each, without payload.
func Letters(service string, due []Position, letters []Message) Verdict {
	v := Verdict{Service: service + "'s letters", Copies: len(letters)}
	missing := make(map[Position]bool, len(due))
	for _, p := range due {
		missing[p] = true
	}
	seen := make(map[Position]bool, len(letters))
	for _, m := range letters {
		p, ok := m.position()
		switch {
		case !ok || (!missing[p] && !seen[p]):
			v.nowhere("dead letter %d on %s for event %s", m.LaneSeq, m.Subject, p)
		case seen[p]:
			v.twice("dead letter %d for event %s", m.LaneSeq, p)
		case len(m.Data) > 0:
			v.wrong("dead letter %d for event %s has a payload", m.LaneSeq, p)
		}
		seen[p] = true
		delete(missing, p)
	}
	for _, p := range due {
		if missing[p] {
			v.lost(Middle, "letter for event %s", p)
		}
	}
	return v
}
