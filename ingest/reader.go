package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/wire"
)

const (
	// A pull asks for at most this many events and bytes ahead: enough to hide
	// the round trip, little enough to bound memory with large events.
	pullMessages = 2000
	pullBytes    = 8 << 20
	// An idle consumer shows itself this often. Reads are shorter than that, so
	// a lost consumer is found by looking, see lookEvery.
	pullHeartbeat = 5 * time.Second
	// The server forgets a reader's consumer after this long without a pull.
	inactiveThreshold = 30 * time.Second
)

// errGap: the consumer passed over a sequence. The server does so in silence
// when it clamps a start to the first sequence it holds.
var errGap = errors.New("ingest events are not contiguous")

// errSilent: the consumer does not deliver what is there; a restarted server
// has forgotten it.
var errSilent = errors.New("the reader of ingest fell silent")

// lookEvery is how often a reader that gets nothing looks whether there is
// something: an event that the client has swallowed, or one that its consumer
// has not delivered from one look to the next.
const lookEvery = time.Second

// reader reads ingest from a mark on through a consumer of its own.
//
// The client takes a message without a body but with a Status header for one of
// the server's own, and swallows it or ends the subscription. A publisher may
// store such a thing, so the reader fetches it by its sequence: before it opens
// its consumer, where a sequence is missing, and when nothing comes.
type reader struct {
	g    *Ingest
	cons jetstream.Consumer
	msgs jetstream.MessagesContext
	// held are events that follow at, read but not yet returned.
	held []*event.Event
	// last is the last event read, at the last one returned.
	last, at Mark
	// looked is when it last looked, waiting the sequence that was there and
	// not delivered then.
	looked  time.Time
	waiting uint64
}

// newReader makes a consumer that starts after a mark that Resume returned.
func (g *Ingest) newReader(ctx context.Context, at Mark) (*reader, error) {
	r := &reader{g: g, at: at, last: at}
	if _, err := r.holdSwallowed(ctx); err != nil {
		return nil, err
	}
	var err error
	r.cons, err = g.cfg.JS.CreateConsumer(ctx, wire.StreamIngest, jetstream.ConsumerConfig{
		Description:       "replhub: reads ingest",
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.last.Seq + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: inactiveThreshold,
	})
	if err != nil {
		return nil, fmt.Errorf("create a reader of ingest at %d: %w", r.last.Seq+1, err)
	}
	r.msgs, err = r.cons.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(pullMessages, pullBytes),
		jetstream.PullHeartbeat(pullHeartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return nil, fmt.Errorf("read ingest at %d: %w", r.last.Seq+1, err)
	}
	return r, nil
}

// next returns the next event, waiting for it until ctx ends.
func (r *reader) next(ctx context.Context) (*event.Event, error) {
	if len(r.held) == 0 {
		if err := r.receive(ctx); err != nil {
			return nil, err
		}
	}
	e := r.held[0]
	r.at = MarkOf(e)
	if len(r.held) == 1 {
		r.held = r.held[:0] // keeps its memory
	} else {
		r.held = r.held[1:]
	}
	return e, nil
}

// receive waits for the next message and holds its event, with those that were
// swallowed before it.
func (r *reader) receive(ctx context.Context) error {
	msg, err := r.msgs.Next(jetstream.NextContext(ctx))
	if errors.Is(err, context.DeadlineExceeded) && time.Since(r.looked) >= lookEvery {
		if failed := r.look(ctx); failed != nil || len(r.held) > 0 {
			return failed
		}
	}
	if err != nil {
		return fmt.Errorf("read ingest after %s: %w", r.last.Position, err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("read ingest after %s: %w", r.last.Position, err)
	}
	seq := meta.Sequence.Stream
	if seq > r.last.Seq+1 {
		if _, err := r.holdSwallowed(ctx); err != nil {
			return err
		}
	}
	if seq != r.last.Seq+1 {
		return fmt.Errorf("%w: %d follows %s", errGap, seq, r.last.Position)
	}
	r.hold(r.g.decode(seq, meta.Timestamp, msg.Subject(), msg.Headers(), msg.Data()))
	return nil
}

// look holds what the client has swallowed. It fails when an event that was
// there at the last look has still not come, and when ingest ends before what
// was read: it was rolled back.
func (r *reader) look(ctx context.Context) error {
	r.looked = time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookEvery)
	defer cancel()
	there, err := r.holdSwallowed(ctx)
	if err != nil || len(r.held) > 0 {
		return err
	}
	next := r.last.Seq + 1
	if there && r.waiting == next {
		return fmt.Errorf("%w: event %d is not delivered", errSilent, next)
	}
	r.waiting = 0
	if there {
		r.waiting = next
		return nil
	}
	b, err := r.g.Bounds(ctx)
	if err == nil && b.Last < r.last.Seq {
		err = fmt.Errorf("%w: ingest ends at %d, before %s", errSilent, b.Last, r.last.Position)
	}
	return err
}

func (r *reader) hold(e *event.Event) {
	r.held = append(r.held, e)
	r.last = MarkOf(e)
}

// holdSwallowed holds the events that come next, as far as the client swallows
// them. It reports whether there is another event behind them.
func (r *reader) holdSwallowed(ctx context.Context) (more bool, err error) {
	for {
		msg, err := r.g.message(ctx, r.last.Seq+1)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(msg.Data) > 0 || msg.Header.Get("Status") == "" {
			return true, nil
		}
		r.hold(r.g.decode(msg.Sequence, msg.Time.UTC(), msg.Subject, msg.Header, msg.Data))
	}
}

// close ends the reader and its consumer, on a best-effort basis: the server
// removes an idle consumer by itself.
func (r *reader) close() {
	r.msgs.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.g.cfg.JS.DeleteConsumer(ctx, wire.StreamIngest, r.cons.CachedInfo().Name); err != nil {
		r.g.cfg.Logger.Debug("remove a reader of ingest", "err", err)
	}
}
