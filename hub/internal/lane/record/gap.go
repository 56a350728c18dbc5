package record

import "slices"

// Gap is a range of a lane's sequences whose messages are gone, and for which nothing is
// left to do: they were copied again behind it, or the lane was detached because of them.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// maxGaps bounds the remembered gaps. A gap that is forgotten is found again, which
// detaches the lane again if the lane still holds unacknowledged copies around the gap.
const maxGaps = 16

// WithGap returns the state with another gap. Gaps that lie before first, the lane's
// first sequence, are forgotten; 0 keeps all.
func (s State) WithGap(g Gap, first uint64) State {
	if s.Explains(g.First) && s.Explains(g.Last) {
		return s
	}
	gaps := slices.DeleteFunc(slices.Clone(s.Gaps), func(old Gap) bool {
		return old.Last < first || g.First <= old.First && old.Last <= g.Last
	})
	gaps = append(gaps, g)
	s.Gaps = gaps[max(len(gaps)-maxGaps, 0):]
	return s
}

// Explains reports whether a sequence lies in a gap of the state.
func (s State) Explains(seq uint64) bool {
	return slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.First <= seq && seq <= g.Last })
}
