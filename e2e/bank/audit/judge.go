package audit

import (
	"maps"
	"slices"
)

// Judge compares a service with the source. The freezes are those of instances
// that were stopped and went on.
func Judge(s *Source, r *Replica, freezes []Freeze) *Verdict {
	v := &Verdict{
		Service: r.Service, Rows: len(r.Rows), Effects: len(r.Effects), Handlings: len(r.Handlings),
		Outcomes: make(map[string]int),
	}
	v.judgeRows(s.Rows[r.Service], r.Rows)
	v.judgeEffects(s, r.Effects, r.Ordered, !r.DeletesUnseen)
	for _, h := range r.Handlings {
		v.Outcomes[h.Outcome]++
	}
	if r.Ordered {
		v.judgeOrder(r.Handlings)
		v.judgePartitions(r, freezes)
	}
	return v
}

func (v *Verdict) judgeRows(want, got map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		row, ok := got[key]
		switch {
		case !ok:
			v.found(Missing, "%s, at the source %q", key, want[key])
		case row != want[key]:
			v.found(Different, "%s is %q, at the source %q", key, row, want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			v.found(Resurrected, "%s is %q, not at the source", key, got[key])
		}
	}
}

// JudgeIngest looks at what was published, in its order: every committed change
// once and nothing else, and those of a key in the order of their commits.
func JudgeIngest(s *Source, published []Effect) *Verdict {
	v := &Verdict{Service: "ingest", Effects: len(published)}
	v.judgeEffects(s, published, true, true)
	return v
}

// judgeEffects goes by the source's own count of a key's changes, not by
// anything that came with the event. All says that none may be left out, and
// deletes that these leave effects too.
func (v *Verdict) judgeEffects(s *Source, effects []Effect, all, deletes bool) {
	made := make(map[string]int, len(s.Changes))
	newest := make(map[string]int64)
	last := make(map[string]position)
	for _, e := range effects {
		if at := (position{e.Epoch, e.Seq}); at != (position{}) {
			if before, ok := last[e.Key]; ok && !before.less(at) {
				v.found(Receding, "%s of %s at %d after %d", e.ID, e.Key, at.seq, before.seq)
			}
			last[e.Key] = at
		}
		made[e.ID]++
		c, ok := s.Changes[e.ID]
		switch {
		case !ok:
			v.found(Phantom, "%s of %s was never committed", e.ID, e.Key)
			continue
		case made[e.ID] > 1:
			v.found(Twice, "%s, change %d of %s, for the %d. time", e.ID, c.N, c.Key, made[e.ID])
		}
		if c.N < newest[c.Key] {
			v.found(Backwards, "%s, change %d of %s, after change %d", e.ID, c.N, c.Key, newest[c.Key])
		}
		newest[c.Key] = max(newest[c.Key], c.N)
	}
	final := make(map[string]Change)
	for _, c := range s.Changes {
		if c.N > final[c.Key].N {
			final[c.Key] = c
		}
	}
	for _, c := range s.Changes {
		// Without order, an older change may come after a newer one and is skipped.
		if made[c.ID] == 0 && (all || final[c.Key] == c) && (deletes || !c.Deleted) {
			v.found(Lost, "%s, change %d of %s", c.ID, c.N, c.Key)
		}
	}
}
