package queue

import "slices"

// handledRoom is how many settled copies a partition remembers: the server's default
// bound of unacknowledged deliveries.
const handledRoom = 1024

// handled is a ring of the copies settled last. The server may miss their
// acknowledgements and deliver them again behind newer copies of their row.
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
