package engine

import (
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// event is one change on its way to ingest.
type event struct {
	at     captured.Position
	entity string
	op     subjects.Op
	key    string
	// version is the change's LSN with the lift; 0 means none.
	version     uint64
	contentType string
	// header has the event's own headers, as an outbox gives them.
	header map[string][]string
	data   []byte
}

// overhead is what an event takes in memory and on the wire beside its texts, in bytes.
const overhead = 256

func (e *event) size() int { return overhead + len(e.entity) + len(e.key) + len(e.data) }

// item is what the stream hands to the writer: an event, or the news that no change
// before an LSN is missing once the events before the item are stored.
type item struct {
	event *event
	done  captured.LSN
	// truncated is a table that was truncated.
	truncated string
}
