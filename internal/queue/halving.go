package queue

// halving finds the event that made a batch fail. The batch's parts are handed to the
// handler one after the other. A part that fails is handed over again in two halves,
// in order, until the event is alone. Events behind a failed event of their row are
// not handed over. After an outage no part is handed over.
type halving struct {
	parts  [][]int // parts that are not handed over yet, in reverse order; places in the batch
	places []int   // all places of the batch
	away   bool    // something that the handler needs is unavailable
	failed map[Row]bool
}

func (h *halving) begin(n int) {
	h.places = h.places[:0]
	for i := range n {
		h.places = append(h.places, i)
	}
	h.parts = append(h.parts[:0], h.places)
	h.away, h.failed = false, nil
}

// Part returns the next part of the batch for the handler, as places in Jobs; nil
// when no part is left. ended says that the time of some handlers is over, and cut
// names the jobs of these handlers. These jobs are abandoned, and the others are put
// back untried.
func (b *Batch) Part(ended bool, cut func(*Job) bool) []int {
	h := &b.halving
	for len(h.parts) > 0 {
		part := h.parts[len(h.parts)-1]
		h.parts = h.parts[:len(h.parts)-1]
		if part = b.allowed(part, ended, cut); len(part) > 0 {
			return part
		}
	}
	return nil
}

// allowed returns the places of a part that may be handled, and notes the verdicts on
// the other places.
func (b *Batch) allowed(part []int, ended bool, cut func(*Job) bool) []int {
	if !ended && !b.halving.away && len(b.halving.failed) == 0 {
		return part
	}
	may := part[:0:0]
	for _, i := range part {
		j := b.Jobs[i]
		switch {
		case ended && cut(j):
			b.verdicts[i] = Verdict{Kind: Abandoned}
		case ended, b.halving.away, j.line != nil && b.halving.failed[j.Row]:
			b.verdicts[i] = Verdict{Kind: Untried}
		default:
			may = append(may, i)
		}
	}
	return may
}

// Handled notes that the handler has handled a part, and that its events are
// acknowledged.
func (b *Batch) Handled(part []int) {
	for _, i := range part {
		b.verdicts[i] = Verdict{Kind: Finished, Evidence: WasHandled}
	}
}

// Cut notes that the handlers' time was over before a part was handled.
func (b *Batch) Cut(part []int, cut func(*Job) bool) { b.allowed(part, true, cut) }

// Away notes that the handler answered a part with an outage.
func (b *Batch) Away(part []int, err error) {
	for _, i := range part {
		b.verdicts[i] = Verdict{Kind: Stalled, Err: err}
	}
	b.halving.away = true
}

// Failed notes the verdict on a job that was alone in its part.
func (b *Batch) Failed(i int, v Verdict) {
	b.verdicts[i] = v
	switch v.Kind {
	case Finished, Bury: // a dead letter: its row continues
	case Stalled:
		b.halving.away = true
	case Retry, Abandoned, Untried:
		if b.halving.failed == nil {
			b.halving.failed = make(map[Row]bool)
		}
		b.halving.failed[b.Jobs[i].Row] = true
	}
}

// Halve makes the halves of a part the next parts.
func (b *Batch) Halve(part []int) {
	half := len(part) / 2
	b.halving.parts = append(b.halving.parts, part[half:], part[:half])
}
