package history

import (
	"cmp"
	"maps"
	"slices"
)

// A lane is trimmed, and its queue changed, according to what its consumers have
// processed. The server's counts do not show that reliably: it raises num_pending
// after it has acknowledged an append, and a consumer's leader may lag behind the
// stream's. Only what stays true however late the answer comes counts: a consumer's
// ack floor, or where it stands still (standing.go), and that no message which
// matches its filter lies behind that.

// ProvenFloor is the sequence of a lane up to which a consumer needs nothing, as far
// as can be proven. floor is where the consumer stands, of any age. last is the lane's last
// sequence, and match the sequence of the last message that matched the consumer's
// filter, read after last was; 0 when none does.
func ProvenFloor(floor, match, last uint64) uint64 {
	if match <= floor {
		return last // no message between the two matches the consumer's filter
	}
	return min(floor, last)
}

// Lowest finds the lowest proven floor of a lane's consumers: the lane's last sequence
// when there are none.
type Lowest struct {
	last   uint64
	floors map[string]uint64
	rest   []string // consumers that may lower the floor, lowest floor first
	floor  uint64
}

// NewLowest begins with the lane's last sequence, as the stream's leader has said it
// before the consumers were asked, and what they are known to have dealt with, by name.
func NewLowest(last uint64, floors map[string]uint64) *Lowest {
	rest := slices.SortedFunc(maps.Keys(floors), func(a, b string) int {
		return cmp.Or(cmp.Compare(floors[a], floors[b]), cmp.Compare(a, b))
	})
	return &Lowest{last: last, floors: floors, rest: rest, floor: last}
}

// Next returns the consumer whose last match must be read; more is false where no
// consumer can lower the floor any further.
func (l *Lowest) Next() (consumer string, more bool) {
	if len(l.rest) == 0 || l.floors[l.rest[0]] >= l.floor {
		return "", false
	}
	return l.rest[0], true
}

// Match answers Next with the sequence of the last message that the consumer's filter
// lets through; 0 for none.
func (l *Lowest) Match(seq uint64) {
	l.floor = min(l.floor, ProvenFloor(l.floors[l.rest[0]], seq, l.last))
	l.rest = l.rest[1:]
}

// Floor returns the lowest floor, once Next has returned false.
func (l *Lowest) Floor() uint64 { return l.floor }
