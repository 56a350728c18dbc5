package scrub

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
)

// holes are the sequences that a reader was not given, of which it should have got each.
type holes struct {
	next  uint64 // the sequence that should come next
	found []record.Gap
}

// upTo are the holes that end by a sequence: a reader may be given messages behind it.
func (h *holes) upTo(to uint64) (found []record.Gap) {
	for _, g := range h.found {
		if g.First <= to {
			found = append(found, record.Gap{First: g.First, Last: min(g.Last, to)})
		}
	}
	return found
}

// came notes the next message.
func (h *holes) came(seq uint64) {
	if seq > h.next {
		h.found = append(h.found, record.Gap{First: h.next, Last: seq - 1})
	}
	h.next = max(h.next, seq+1)
}

// held is what the server says of a stream after it was read.
type held struct {
	first   uint64
	deleted []uint64
	// lost says that the server has lost messages since it started; lostSeqs are their
	// sequences where the server knows them.
	lost     bool
	lostSeqs []uint64
}

func heldBy(s jetstream.StreamState) held {
	h := held{first: s.FirstSeq, deleted: s.Deleted}
	if s.Lost != nil {
		h.lost, h.lostSeqs = true, s.Lost.Msgs
	}
	return h
}

// damaged are those sequences of holes that nobody deleted: the server counts the message
// and cannot read it, or says that it was lost. The server counts lost messages as deleted
// ones. If it does not know their sequences, no deleted sequence is trusted.
func damaged(all []record.Gap, h held) []record.Gap {
	deleted := setOf(h.deleted)
	if h.lost && len(h.lostSeqs) == 0 {
		deleted = nil
	}
	for _, seq := range h.lostSeqs {
		delete(deleted, seq)
	}
	var found []record.Gap
	for _, g := range all {
		for seq := max(g.First, h.first); seq <= g.Last; seq++ {
			if deleted[seq] {
				continue
			}
			if n := len(found); n > 0 && found[n-1].Last+1 == seq {
				found[n-1].Last = seq
				continue
			}
			found = append(found, record.Gap{First: seq, Last: seq})
		}
	}
	return found
}

func setOf(list []uint64) map[uint64]bool {
	set := make(map[uint64]bool, len(list))
	for _, one := range list {
		set[one] = true
	}
	return set
}

// unexplained are the gaps of which the lane's state does not know.
func unexplained(all []record.Gap, s lane.State) (left []record.Gap) {
	for _, g := range all {
		if !s.Explains(g.First) || !s.Explains(g.Last) {
			left = append(left, g)
		}
	}
	return left
}

// split divides gaps by a sequence up to which it is not known whether the copies had been
// processed before they were damaged.
func split(all []record.Gap, upTo uint64) (doubtful, certain []record.Gap) {
	for _, g := range all {
		if g.Last <= upTo {
			doubtful = append(doubtful, g)
		} else {
			certain = append(certain, g)
		}
	}
	return doubtful, certain
}

// kept are the gaps that are known after a part of a review, from one sequence to another:
// those that it found, and those outside of it that the stream still holds.
func kept(before, found []record.Gap, first, from, to uint64) []record.Gap {
	all := slices.DeleteFunc(slices.Clone(before), func(g record.Gap) bool { return g.Last < first || from <= g.Last && g.Last <= to })
	all = append(all, found...)
	slices.SortFunc(all, func(a, b record.Gap) int { return cmp.Compare(a.First, b.First) })
	return all
}

// floorOf is a sequence of the lane up to which its consumers have processed all, by the
// server's counts. The counts prove nothing: the floor only says where a review begins.
func floorOf(workers map[string]*jetstream.ConsumerInfo) uint64 {
	var idle uint64
	busy := uint64(math.MaxUint64)
	for _, info := range workers {
		if info.NumPending == 0 && info.NumAckPending == 0 {
			idle = max(idle, info.Delivered.Stream, info.AckFloor.Stream)
		} else {
			busy = min(busy, max(info.AckFloor.Stream, info.Config.OptStartSeq, 1))
		}
	}
	if busy == math.MaxUint64 {
		return idle
	}
	return busy - 1
}

// text names ranges of sequences.
func text(gaps []record.Gap) string {
	const most = 5
	var parts []string
	for i, g := range gaps {
		switch {
		case i == most:
			parts = append(parts, fmt.Sprintf("%d more ranges", len(gaps)-most))
			return strings.Join(parts, ", ")
		case g.First == g.Last:
			parts = append(parts, fmt.Sprint(g.First))
		default:
			parts = append(parts, fmt.Sprintf("%d to %d", g.First, g.Last))
		}
	}
	return strings.Join(parts, ", ")
}
