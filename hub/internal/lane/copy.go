package lane

import (
	"context"
	"errors"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
)

// maxAppendBytes bounds one append, and with it what a lane holds in memory
// beside the events.
const maxAppendBytes = 4 << 20

// liveTurn copies the next block of live events, or hands over to a fill, or
// waits for more.
func (l *Lane) liveTurn(ctx context.Context) error {
	fill, fillWaits := l.nextFill()
	if fillWaits && time.Since(l.sliceBegan) > slice {
		return l.record(ctx, l.tip.State.InFill(fill))
	}
	block, end, err := l.liveSource.next(ctx, l.tip.State.Pos)
	if err != nil {
		return err
	}
	if len(block.Events) > 0 {
		if err := l.copyBlock(ctx, &l.liveSource, block, l.live); err != nil {
			return err
		}
		return l.recordNowAndThen(ctx)
	}
	if fillWaits && end {
		return l.record(ctx, l.tip.State.InFill(fill))
	}
	if !end {
		l.report()
		return l.settle(ctx) // it may wait long for a reader
	}
	l.gotOn()
	l.report()
	return l.waitForEvents(ctx)
}

// waitForEvents waits at the end of ingest. It ends an append to which nothing
// is added, and writes the position down when the stream has not said it for a
// while.
func (l *Lane) waitForEvents(ctx context.Context) error {
	if l.batch != nil {
		due := settleAfter - time.Since(l.appendedAt)
		if due <= 0 {
			return l.settle(ctx)
		}
		return l.stand(ctx, due)
	}
	if l.stall.Open() {
		return l.stand(ctx, l.stall.Left(time.Now())+time.Millisecond)
	}
	if l.unrecorded == 0 {
		return l.stand(ctx, 0)
	}
	due := recordEvery - time.Since(l.recordedAt)
	if due <= 0 {
		return l.record(ctx, l.tip.State)
	}
	return l.stand(ctx, due)
}

// recordNowAndThen writes the position of a lane that passes many events
// without a copy.
func (l *Lane) recordNowAndThen(ctx context.Context) error {
	if l.unrecorded >= recordAfter || (l.unrecorded > 0 && time.Since(l.recordedAt) >= recordEvery) {
		return l.record(ctx, l.tip.State)
	}
	return nil
}

// copyBlock appends the copies that a table makes of a block, or of its first
// events, and moves the cursor of the present phase over them. src is where the
// block comes from; nil when that is not the ingest stream.
func (l *Lane) copyBlock(ctx context.Context, src *source, block ingest.Block, table *match.Table) error {
	if !block.Has(table.Wants) {
		l.pass(block.Events)
		return nil
	}
	block, leave, err := l.admit(ctx, src, block)
	if err != nil || len(block.Events) == 0 {
		return err
	}
	defer l.release()
	defer leave.share.End()
	for events := block.Events; len(events) > 0; {
		room, err := l.room(ctx)
		if err != nil {
			return err
		}
		b := l.expand(ctx, events, table, room)
		events = events[b.events:]
		if b.events > 0 {
			if err := l.appendCopies(ctx, b, leave.last && len(events) == 0); err != nil {
				return err
			}
		}
		if b.stop != nil {
			return l.stop(ctx, b.stop)
		}
	}
	return nil
}

// stop writes down how far the lane has come, and returns why it comes no further:
// the letters of the events before must not be stored again once somebody has
// removed them.
func (l *Lane) stop(ctx context.Context, why error) error {
	if l.unrecorded > 0 {
		if err := l.record(ctx, l.tip.State); err != nil {
			return err
		}
	}
	return why
}

// batch is what one append takes: the copies of a run of events.
type batch struct {
	msgs  []Message
	bytes int
	// events is how many events the batch covers, skipped how many of them
	// follow the last one copied, end is the last of them all.
	events, skipped int
	end             *event.Event
	// stop is why the event behind the batch cannot be dealt with; nil when it can.
	stop error
}

// expand makes the next batch, which ends when the room is used. Dead letters are durable before the batch is
// appended: the append moves the lane past their events.
func (l *Lane) expand(ctx context.Context, events []*event.Event, table *match.Table, room int) batch {
	b := batch{msgs: make([]Message, 0, len(events))}
	maxPayload := int(l.env.JS.Conn().MaxPayload())
	for _, e := range events {
		d := l.decide(table, e)
		if d.Kind == match.Copy {
			m := Message{Subject: d.Subject, Header: e.CopyHeader(), Data: d.Data}
			if size := m.size(); m.tooLarge(maxPayload) {
				d = match.Decision{Kind: match.Dead, Why: contract.ReasonTooLarge, Err: errTooLarge}
			} else {
				b.msgs = append(b.msgs, m)
				b.bytes += size
				b.skipped = -1
			}
		}
		if d.Kind == match.Dead {
			if err := l.putLetter(ctx, e, d); err != nil {
				b.stop = err // what lies before it need not wait
				return b
			}
		}
		b.events++
		b.skipped++
		b.end = e
		if b.bytes >= room {
			break
		}
	}
	return b
}

// putLetter stores an event's dead letter, and counts it if it was not there
// before: an event behind which an append is in doubt is expanded again. A letter
// whose answer was lost is there when it is put again, and has not been counted.
func (l *Lane) putLetter(ctx context.Context, e *event.Event, d match.Decision) error {
	added, err := l.env.Letters.Put(ctx, l.service, e, d.Why, d.Err)
	this := letterInDoubt{e.Pos, e.Row}
	if err != nil {
		l.letterInDoubt = this
		return err
	}
	if added || l.letterInDoubt == this {
		l.counted.dead.Add(1)
	}
	l.letterInDoubt = letterInDoubt{}
	return nil
}

// letterInDoubt is the event whose dead letter was not acknowledged.
type letterInDoubt struct {
	pos event.Position
	row uint64
}

// appendCopies appends a batch and moves the cursor. last has it ended there.
func (l *Lane) appendCopies(ctx context.Context, b batch, last bool) error {
	var kind Kind
	if len(b.msgs) > 0 {
		l.env.Failpoint("append")
		l.outgoing.add(l.tip.Last, b.msgs)
		var err error
		// A shutdown lets an append that has begun come to its end.
		if kind, err = l.put(context.WithoutCancel(ctx), b.msgs, last); err != nil {
			return err
		}
		l.env.Failpoint("appended")
	}
	l.appended(kind, b)
	return nil
}

// appended moves the cursor over a batch.
func (l *Lane) appended(kind Kind, b batch) {
	if len(b.msgs) > 0 {
		l.tip.Last += uint64(len(b.msgs))
		l.counted.append(kind)
		if l.batch == nil {
			l.storedUpTo(l.tip.Last)
		}
		l.bytes += int64(b.bytes)
		l.unrecorded, l.recordedAt = 0, l.appendedAt
	}
	l.tip.State = l.tip.State.Past(b.end)
	l.unrecorded += b.skipped
	l.gotOn()
	l.report()
}

// pass moves the cursor over events that the lane has no interest in.
func (l *Lane) pass(events []*event.Event) {
	l.tip.State = l.tip.State.Past(events[len(events)-1])
	l.unrecorded += len(events)
	l.gotOn()
	l.report()
}

var errTooLarge = errors.New("the event with the hub's headers exceeds the server's max_payload or its 64 KiB for headers")

const (
	// headerLine is what the server counts before the first header.
	headerLine = len("NATS/1.0\r\n\r\n")
	// expectRoom is kept for the header of the expected sequence, or those of
	// an atomic batch (id, sequence, commit).
	expectRoom = 192
	// maxHeaderBytes is the server's limit for the headers of a stored message.
	maxHeaderBytes = 1<<16 - 1
)

// size is the number of bytes of headers and payload on the wire.
func (m Message) size() int { return m.headerSize() + len(m.Data) }

func (m Message) headerSize() int { return headerLine + expectRoom + m.Header.Size }

func (m Message) tooLarge(maxPayload int) bool {
	return m.size() > maxPayload || m.headerSize() > maxHeaderBytes
}
