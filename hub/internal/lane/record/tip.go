package record

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

// Tip describes the end of a lane's stream: the state as of its last message, and the
// sequence that the next append must expect.
type Tip struct {
	// State has the cursor of its phase moved to the last copy.
	State State
	// StateSeq is the stream sequence of the state record.
	StateSeq uint64
	// Last is the stream's last sequence.
	Last uint64
	// Unread are the messages behind the one that shows the lane's position that the server
	// says to hold and cannot return: it found them damaged, or somebody deleted them. The
	// lane copies their events again. Zero for none.
	Unread Gap
	// Foreign counts messages behind the hub's last one that are not the hub's.
	Foreign int
	// Direct says that the server that the hub is connected to has the stream, and that no
	// other server can have it. So the connection is lost before the stream can change to
	// an older copy.
	Direct bool
}

// Behind looks at the headers of a message between the state record and the end of
// the stream. A reader begins with the state as its record says and the last message,
// and goes back until found: the message is a copy, which was made under the state,
// so the cursor of the state's phase stands at the copy's event or row. A redriven
// copy repeats an older event, and shows no position. Any other message is foreign.
func (t Tip) Behind(h map[string][]string) (next Tip, found bool) {
	if IsRedriven(h) {
		return t, false
	}
	if moved, ok := t.State.pastRow(h); ok {
		t.State = moved
		return t, true
	}
	if mark, ok := CopyMark(h); ok && t.State.ActiveSnapshot() == nil && get(h, contract.HeaderRow) == "" {
		t.State = t.State.Advanced(mark)
		return t, true
	}
	t.Foreign++
	return t, false
}

// CopyMark reads the mark that the hub set on a copy; ok is false for a message that
// is not the hub's copy, or that is not in the order of ingest.
func CopyMark(h map[string][]string) (m ingest.Mark, ok bool) {
	if IsRedriven(h) {
		return ingest.Mark{}, false
	}
	pos, ok := event.ParsePosition(get(h, contract.HeaderPosition))
	if !ok {
		return ingest.Mark{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, get(h, contract.HeaderTime))
	if err != nil || !appended(h) {
		return ingest.Mark{}, false
	}
	return ingest.Mark{Position: pos, Time: t.UTC()}, true
}

// IsRedriven reports whether a copy came back from the dead letters.
func IsRedriven(h map[string][]string) bool { return get(h, contract.HeaderRedriven) != "" }

// IsRecord reports whether a message is a state record that a hub appended: alone, or
// at the end of an atomic batch.
func IsRecord(h map[string][]string) bool { return get(h, contract.HeaderState) != "" && appended(h) }

// appended reports whether a message has the header that every append of a hub has.
func appended(h map[string][]string) bool {
	return get(h, contract.HeaderExpectedLastSeq) != "" || get(h, "Nats-Batch-Id") != ""
}

// get is the first value of a header under its exact name, or "".
func get(h map[string][]string, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
