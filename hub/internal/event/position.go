package event

import (
	"cmp"
	"strconv"

	"github.com/replhub/replhub/internal/contract"
)

// Position is an event's place in ingest. Positions order changes: by epoch,
// then by sequence. The zero Position is before every event.
type Position struct {
	// Epoch counts the lives of ingest: it grows when ingest is re-created or
	// loses its tail.
	Epoch uint64 `json:"epoch"`
	// Seq is the stream sequence within the epoch.
	Seq uint64 `json:"seq"`
}

// Compare is negative when p is before q, 0 when they are the same, and
// positive when p is after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, q.Epoch), cmp.Compare(p.Seq, q.Seq))
}

// Before reports whether p is before q.
func (p Position) Before(q Position) bool { return p.Compare(q) < 0 }

// String is "<epoch>-<seq>".
func (p Position) String() string {
	buf := make([]byte, 0, 2*20+1)
	buf = strconv.AppendUint(buf, p.Epoch, 10)
	buf = append(buf, '-')
	buf = strconv.AppendUint(buf, p.Seq, 10)
	return string(buf)
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (p Position, ok bool) {
	epoch, seq, err := contract.ParsePosition(s)
	return Position{Epoch: epoch, Seq: seq}, err == nil
}
