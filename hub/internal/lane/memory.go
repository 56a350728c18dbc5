package lane

import (
	"github.com/replhub/replhub/hub/internal/budget"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
)

// memory bounds what all lanes of a hub may hold together, in three budgets: the
// readers of lanes that are not within the tail's window, the rows of snapshots, and
// the appends that are being built. Each budget serves its callers in order. A share
// larger than its budget is given when nobody else has one.
//
// A lane asks for shares in one order only, reader or rows before append, and a lane
// with a share of the appends waits only for the server. So no deadlock is possible.
type memory struct {
	readers, chunks, appends *budget.Budget
	// portion is how much one reader takes at a time, reader the most that it holds.
	portion ingest.Portion
	reader  int64
	// chunk is the most memory for rows of a snapshot that are requested together.
	chunk int64
	// decode has a token for each large payload that may be decoded at a time.
	decode chan struct{}
}

// DefaultMemory is the default of Env.Memory: 80 MiB.
const DefaultMemory = 80 << 20

const (
	// Parts of the whole, in tenths.
	readersPart, chunksPart, appendsPart, allParts = 4, 3, 3, 10
	// A reader's requests and blocks take such parts of the readers' budget. With the
	// largest messages that the server accepts by default, six readers run at a time.
	pullPart, blockPart = 40, 32
	// minPortion keeps readers going at any budget.
	minPortion = 16 << 10
	// largePayload is the size from which payloads are decoded a few at a time only:
	// decoding JSON takes up to some 25 times the payload's size.
	largePayload = 64 << 10
	// largeAtOnce is how many large payloads are decoded at a time.
	largeAtOnce = 2
)

// newMemory divides a number of bytes into the budgets; maxPayload is the server's.
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
