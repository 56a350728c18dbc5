package queue

import "slices"

// handledRoom is how many settled copies a partition remembers: as many as the
// server has unacknowledged at most, by default.
const handledRoom = 1024

// handled are the copies that were settled last: the server may not hear of it, and
// deliver them again behind newer ones of their row. A ring.
type handled struct {
	seqs []uint64
	at   int
}

func (h *handled) add(seq uint64) {
	if len(h.seqs) < handledRoom {
		h.seqs = append(h.seqs, seq)
		return
	}
	h.seqs[h.at] = seq
	h.at = (h.at + 1) % handledRoom
}

func (h *handled) has(seq uint64) bool { return slices.Contains(h.seqs, seq) }
