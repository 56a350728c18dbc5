package lane

import (
	"context"

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

// appendSize is what building the copies of a block takes: the events, which the
// tail may have let go of, and what is projected of them.
func appendSize(b ingest.Block) int64 { return 2 * int64(b.Size()) }

// admission is a lane's leave to copy a block.
type admission struct {
	share *budget.Share
	// last has the lane end its append with the block: it had to wait, so that
	// others wait as well.
	last bool
}

// admit takes a share of what all lanes may have on their way, and of the memory
// for that. A lane that has to wait holds neither events nor an open append
// meanwhile; it gets the events again from src, where block may have been the
// start of more. Without src the events are held elsewhere. No events and no error
// mean that the caller should ask again.
func (l *Lane) admit(ctx context.Context, src *source, block ingest.Block) (ingest.Block, admission, error) {
	events, bytes := int64(len(block.Events)), appendSize(block)
	if l.env.appends.TryAcquire(events) {
		if share := l.env.memory.appends.Try(bytes); share != nil {
			l.held += events
			return block, admission{share: share}, nil
		}
		l.env.appends.Release(events)
	}
	at := block.Before
	if src != nil {
		src.putBack(block)
		block = ingest.Block{}
	}
	if err := l.settle(ctx); err != nil {
		return ingest.Block{}, admission{}, err
	}
	if err := l.env.appends.Acquire(ctx, events); err != nil {
		return ingest.Block{}, admission{}, err
	}
	l.held += events
	share, err := l.env.memory.appends.Wait(ctx, bytes)
	if err != nil {
		l.release()
		return ingest.Block{}, admission{}, err
	}
	if src != nil {
		if block, _, err = src.next(ctx, at); err != nil || len(block.Events) == 0 {
			share.End()
			l.release()
			return ingest.Block{}, admission{}, err
		}
		block.Events = block.Events[:min(len(block.Events), int(events))]
	}
	return block, admission{share: share, last: true}, nil
}

// decide expands an event. A large payload waits for its turn to be decoded.
func (l *Lane) decide(table *match.Table, e *event.Event) match.Decision {
	if len(e.Data) < largePayload {
		return table.Expand(e)
	}
	l.env.memory.decode <- struct{}{}
	defer func() { <-l.env.memory.decode }()
	return table.Expand(e)
}
