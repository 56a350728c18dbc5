package lane

import (
	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
)

// memory is what all lanes of a hub may hold together, in three budgets: the
// readers of lanes that are not within the tail's window, the rows of snapshots,
// and the appends that are being built. Each is shared out in order, and what is
// larger than its budget passes alone.
//
// A lane asks for them in one order only, reader or rows before append, and whoever
// has a share of the appends waits for the server alone: so nobody waits in a ring.
type memory struct {
	readers, chunks, appends *budget.Budget
	// portion is how much one reader takes at a time, reader what it holds at most.
	portion ingest.Portion
	reader  int64
	// chunk is the most that rows of a snapshot take which were asked for together.
	chunk int64
	// decode has a token for each large payload that may be decoded at a time.
	decode chan struct{}
}

// DefaultMemory is what lanes may hold where nothing else is said: 80 MiB.
const DefaultMemory = 80 << 20

const (
	// Parts of the whole, in tenths.
	readersPart, chunksPart, appendsPart, allParts = 4, 3, 3, 10
	// A reader's requests and blocks are for such parts of all that readers have;
	// with the largest messages that the server takes by default, six of them run
	// at a time.
	pullPart, blockPart = 40, 32
	// minPortion keeps readers going at any budget.
	minPortion = 16 << 10
	// largePayload is what a payload has that is not decoded beside many others:
	// as JSON it takes up to some 25 times as much for that moment.
	largePayload = 64 << 10
	// largeAtOnce bounds these.
	largeAtOnce = 2
)

// newMemory shares a number of bytes out; maxPayload is the server's.
func newMemory(bytes, maxPayload int64) *memory {
	m := &memory{
		readers: budget.New(bytes * readersPart / allParts),
		chunks:  budget.New(bytes * chunksPart / allParts),
		appends: budget.New(bytes * appendsPart / allParts),
		decode:  make(chan struct{}, largeAtOnce),
	}
	all := m.readers.Size()
	m.portion = ingest.Portion{Pull: max(all/pullPart, minPortion), Block: max(all/blockPart, minPortion)}
	m.reader = m.portion.Most(maxPayload)
	m.chunk = (chunkBytes+maxPayload)*9/8 + chunkRows*int64((&event.Event{}).Size())
	return m
}

// expand is match.Table.Expand. A large payload waits for its turn to be decoded.
func (m *memory) expand(table *match.Table, e *event.Event) match.Decision {
	if len(e.Data) < largePayload {
		return table.Expand(e)
	}
	m.decode <- struct{}{}
	defer func() { <-m.decode }()
	return table.Expand(e)
}
