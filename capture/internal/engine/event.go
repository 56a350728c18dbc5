package engine

import (
	"slices"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/subjects"
)

// event is one change on its way to ingest.
type event struct {
	at captured.Position
	// within is the transaction of the change; nil for a row of a resync.
	within *captured.Transaction
	entity string
	op     subjects.Op
	key    string
	// version is the change's LSN with the lift; 0 means none.
	version     uint64
	contentType string
	// from is the table of the change, or what else it came from, for people.
	from string
	// header has the event's own headers, as an outbox gives them.
	header map[string][]string
	data   []byte
	// spent is the row to delete once the event is stored; nil for none.
	spent *spent
}

// overhead is what an event takes in memory and on the wire beside its texts, in bytes.
const overhead = 256

func (e *event) size() int { return overhead + len(e.entity) + len(e.key) + len(e.data) }

// item is what the stream hands to the writer: an event, an alarm, or the news that no
// change before an LSN is missing once the events before the item are stored.
type item struct {
	event *event
	done  captured.LSN
	alarm *alarm
	// spent is a row of an outbox whose event is stored already.
	spent *spent
}

// news reports whether the item is only the news of an LSN.
func (it *item) news() bool { return it.event == nil && it.alarm == nil && it.spent == nil }

// alarm is what ingest cannot express, and the record of the capture names therefore.
type alarm struct {
	// truncated is a table that was truncated.
	truncated string
	// leftOut is a change that could not become an event, of a table that it names.
	leftOut captured.LeftOut
	// altered is a column whose values changed without a change in the log, of a table that
	// the stream described.
	altered   captured.Altered
	described *relation
}

// in adds the alarm to a record.
func (a *alarm) in(r captured.Record) captured.Record {
	if a.truncated != "" {
		r = r.WithTruncated(a.truncated)
	}
	if a.leftOut.Table != "" {
		r = r.WithLeftOut(a.leftOut)
	}
	if a.altered.Table != "" {
		r = r.WithAltered(a.altered)
	}
	return r
}

// named reports whether a record has the alarm, at least for other changes of the table.
func (a *alarm) named(r captured.Record) bool {
	if a.altered.Table != "" {
		return slices.Contains(r.Altered, a.altered)
	}
	return (a.truncated == "" || slices.Contains(r.Truncated, a.truncated)) && (a.leftOut.Table == "" || r.HasLeftOut(a.leftOut.Table))
}
