package outbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rows that were published are dead to PostgreSQL, and stay in the index until no
// transaction is old enough to see them. While one is held open, a scan from the
// shard's beginning reads all rows that were published since. So a relay begins
// its scans behind them, at an id that no row can be written below any more.
//
// Ids are drawn by transactions that have a number already (statements.forPostgres),
// so a row that a snapshot does not show, with an id below one that it shows, is
// of a transaction that the snapshot names as in progress.

// snapshot is pg_current_snapshot: which transactions a statement did not see.
type snapshot struct {
	next uint64   // this one and all greater have not begun
	open []uint64 // in progress, ascending
}

// parseSnapshot reads "xmin:xmax:xip,xip".
func parseSnapshot(text string) (s snapshot, err error) {
	fields := strings.Split(text, ":")
	if len(fields) != 3 {
		return s, fmt.Errorf("snapshot %q: must have three parts", text)
	}
	if s.next, err = strconv.ParseUint(fields[1], 10, 64); err != nil {
		return s, fmt.Errorf("snapshot %q: %w", text, err)
	}
	if fields[2] == "" {
		return s, nil
	}
	for one := range strings.SplitSeq(fields[2], ",") {
		id, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			return s, fmt.Errorf("snapshot %q: %w", text, err)
		}
		s.open = append(s.open, id)
	}
	slices.Sort(s.open)
	return s, nil
}

// still are those of the transactions that are in progress in s.
func (s snapshot) still(transactions []uint64) []uint64 {
	var left []uint64
	for _, id := range transactions {
		if _, found := slices.BinarySearch(s.open, id); found || id >= s.next {
			left = append(left, id)
		}
	}
	return left
}

// mark says that no row of the shard is left at or below id but those of
// transactions that are open.
type mark struct {
	id   int64
	open []uint64
}

// longOpen is the age from which a transaction counts as one that is held open.
// The marks go around it; the end of each costs one scan of what lies behind.
const longOpen = time.Second

// horizon is where a shard's scans begin. The zero horizon is the beginning. It is
// one relay's own, and its methods are pure.
type horizon struct {
	// marks have ascending ids, and each has the open transactions of the one
	// before it, and more.
	marks []mark
	// next becomes a mark when nothing at or below its id is visible any more.
	next  mark
	since time.Time // of next; zero is none
	// seen is the greatest snapshot's next. A smaller one is of another server.
	seen uint64
}

// from is the id behind which the next scan begins.
func (h *horizon) from() int64 {
	if len(h.marks) == 0 {
		return 0
	}
	return h.marks[len(h.marks)-1].id
}

// holds reports whether a scan that began at from has seen all that its snapshot
// shows. If not, a transaction that was open has ended, from lies further back
// now, and the scan is to be made again.
func (h *horizon) holds(s snapshot) bool {
	n := len(h.marks)
	if s.next < h.seen {
		*h = horizon{}
		return n == 0
	}
	h.seen = s.next
	for n > 0 && len(s.still(h.marks[n-1].open)) < len(h.marks[n-1].open) {
		n--
	}
	if n == len(h.marks) {
		return true
	}
	h.marks, h.since = h.marks[:n], time.Time{}
	return false
}

// scanned notes a scan that holds, and the lowest id that it found; 0 is none.
func (h *horizon) scanned(s snapshot, lowest int64, now time.Time) {
	if h.since.IsZero() || lowest > 0 && lowest <= h.next.id {
		return
	}
	open := s.still(h.next.open)
	if len(open) > 0 && now.Sub(h.since) < longOpen {
		return // they are likely to end before long
	}
	next := mark{id: h.next.id, open: open}
	// A mark with the same transactions is the same, further back.
	for n := len(h.marks); n > 0 && len(h.marks[n-1].open) >= len(open); n-- {
		h.marks = h.marks[:n-1]
	}
	h.marks, h.since = append(h.marks, next), time.Time{}
}

// settled notes that all rows up to an id are gone which a scan with this snapshot
// has found.
func (h *horizon) settled(s snapshot, id int64, now time.Time) {
	if h.since.IsZero() {
		h.next, h.since = mark{id: id, open: s.open}, now
	}
}
