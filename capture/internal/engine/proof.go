package engine

import (
	"github.com/replhub/replhub/internal/captured"
)

// proof compares the log that a slot sends with what is stored. A database that was put
// back to an earlier state, without another timeline, may have grown past the place of
// what is stored: then other changes stand at that place, and those before it would count
// as stored. But its slot was put back, too, or was made there since, and stands before
// the last transaction of which changes are stored. So the slot sends that transaction
// again, if the log is the one that it was in; and else it does not.
//
// A slot that stands behind that transaction was confirmed there, in this log.
type proof struct {
	// expected are the transactions that have to come, ascending.
	expected []captured.Transaction
}

// newProof decides what a slot that sends from an LSN has to send again. A transaction of
// which only the place is known has no XID. The rows of a resync are of no transaction.
func newProof(r captured.Record, stored captured.Position, from captured.LSN) proof {
	var p proof
	if r.Last != nil && r.Last.Commit >= from {
		p.expected = append(p.expected, *r.Last)
	}
	if stored.Change > 0 && stored.Commit >= from && (r.Last == nil || stored.Commit > r.Last.Commit) {
		p.expected = append(p.expected, captured.Transaction{Commit: stored.Commit})
	}
	return p
}

// open reports whether a transaction has to come yet.
func (p *proof) open() bool { return len(p.expected) > 0 }

// begins takes a transaction that the slot sends, and reports whether the log can be that
// of what is stored.
func (p *proof) begins(t captured.Transaction) bool {
	if !p.open() || t.Commit < p.expected[0].Commit {
		return true
	}
	if want := p.expected[0]; t.Commit != want.Commit || want.XID != 0 && t != want {
		return false // and it stays open: no later transaction proves the log
	}
	p.expected = p.expected[1:]
	return true
}

// passed takes the news that the slot has sent everything before an LSN.
func (p *proof) passed(upTo captured.LSN) bool { return !p.open() || upTo <= p.expected[0].Commit }
