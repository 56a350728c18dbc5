package ingest

import (
	"context"
	"errors"
	"time"
)

// CatchUp reads ingest for one lane that is not within the tail's window. It must not
// be used concurrently.
type CatchUp struct {
	r          *reader
	blockBytes int
	// failed is why the reader ended behind the events that Next returned.
	failed error
}

// Portion is how much a CatchUp takes at a time, in bytes: Pull bounds one request to
// the server, Block bounds a block of events.
type Portion struct{ Pull, Block int64 }

// Most is the most that a CatchUp of this portion holds: a block, which one event may
// exceed, and the events requested ahead.
func (p Portion) Most(maxPayload int64) int64 {
	return p.Block + maxPayload + Ahead(p.Pull, maxPayload)
}

// CatchUp opens a reader after a mark that Resume returned, of an ingest in which to
// stands as well; the zero Mark stands in any.
func (g *Ingest) CatchUp(ctx context.Context, at, to Mark, p Portion) (*CatchUp, error) {
	r, err := g.newReader(ctx, at, p.Pull)
	if err != nil {
		return nil, err
	}
	if to.Seq > 0 {
		if err := g.prove(ctx, to); err != nil {
			r.close()
			return nil, err
		}
	}
	return &CatchUp{r: r, blockBytes: int(p.Block)}, nil
}

// gatherTime bounds how long Next gathers events behind the first.
const gatherTime = 20 * time.Millisecond

// Next returns the events that follow, at most a block. It waits for the first up to
// the given time, and then gathers the events that come within 20 ms. No events and
// no error mean that no event came.
func (c *CatchUp) Next(ctx context.Context, wait time.Duration) (Block, error) {
	b := Block{Before: c.r.at}
	if c.failed != nil {
		return b, c.failed
	}
	first, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	e, err := c.r.read(first)
	if err != nil {
		return b, ignoreDeadline(ctx, err)
	}
	rest, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	for bytes := 0; ; {
		b.Events = append(b.Events, e)
		bytes += e.Size()
		if len(b.Events) == blockEvents || bytes >= c.blockBytes {
			return b, nil
		}
		if e, err = c.r.read(rest); err != nil {
			// Events in front of a gap are copied before the gap is judged.
			c.failed = ignoreDeadline(ctx, err)
			return b, nil
		}
	}
}

// ignoreDeadline drops the error of a wait that ended by its own deadline.
func ignoreDeadline(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}

// At is the mark of the last event returned.
func (c *CatchUp) At() Mark { return c.r.at }

// Close ends the reader.
func (c *CatchUp) Close() { c.r.close() }
