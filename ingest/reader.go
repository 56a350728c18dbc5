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
	// An idle consumer must show itself this often; a reader that misses two of
	// them starts over. A restarted server has forgotten the consumer, so this
	// is half the time that lanes wait after it.
	pullHeartbeat = time.Second
	// The server forgets a reader's consumer after this long without a pull.
	inactiveThreshold = 30 * time.Second
)

// errGap: the consumer passed over a sequence. The server does so in silence
// when it clamps a start to the first sequence it holds.
var errGap = errors.New("ingest events are not contiguous")

// reader reads ingest from a mark on through a consumer of its own.
type reader struct {
	g    *Ingest
	cons jetstream.Consumer
	msgs jetstream.MessagesContext
	at   Mark
}

// newReader makes a consumer that starts after a mark that Resume returned.
func (g *Ingest) newReader(ctx context.Context, at Mark) (*reader, error) {
	cons, err := g.cfg.JS.CreateConsumer(ctx, wire.StreamIngest, jetstream.ConsumerConfig{
		Description:       "replhub: reads ingest",
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       at.Seq + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: inactiveThreshold,
	})
	if err != nil {
		return nil, fmt.Errorf("create a reader of ingest at %d: %w", at.Seq+1, err)
	}
	msgs, err := cons.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(pullMessages, pullBytes),
		jetstream.PullHeartbeat(pullHeartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return nil, fmt.Errorf("read ingest at %d: %w", at.Seq+1, err)
	}
	return &reader{g: g, cons: cons, msgs: msgs, at: at}, nil
}

// next returns the next event, waiting for it until ctx ends.
func (r *reader) next(ctx context.Context) (*event.Event, error) {
	msg, err := r.msgs.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read ingest after %s: %w", r.at.Position, err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read ingest after %s: %w", r.at.Position, err)
	}
	if meta.Sequence.Stream != r.at.Seq+1 {
		return nil, fmt.Errorf("%w: %d follows %s", errGap, meta.Sequence.Stream, r.at.Position)
	}
	pos := event.Position{Epoch: r.g.EpochOf(meta.Sequence.Stream), Seq: meta.Sequence.Stream}
	e, err := event.Decode(pos, meta.Timestamp, msg.Subject(), msg.Headers(), msg.Data())
	if err != nil {
		return nil, fmt.Errorf("decode ingest event %s: %w", pos, err)
	}
	r.at = MarkOf(e)
	return e, nil
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
