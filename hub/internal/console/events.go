package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
)

const (
	// searchChunk is how many sequences of ingest are looked at at a time, from the end
	// backwards.
	searchChunk = 5000
	// searchTime bounds one search, and searchMost the events that it shows.
	searchTime = 3 * time.Second
	searchMost = 50
	// searchBytes bounds the events that a search keeps, readBatch those that are on
	// their way at a time.
	searchBytes = 16 << 20
	readBatch   = 100
	// readUnused is the time after which the server removes an abandoned consumer.
	readUnused = 5 * time.Second
)

// searched is what a search in ingest found, newest first.
type searched struct {
	Events []*event.Event
	// Looked counts the events looked at. Below is where a further search goes on
	// backwards; 0 says that nothing is left to search.
	Looked int
	Below  uint64
}

// search goes over the events of a subject from the newest one below a sequence (0: the
// end) backwards, for those that are wanted.
func (c *Console) search(ctx context.Context, subject string, below uint64, most int, wanted func(*event.Event) bool) (searched, error) {
	var found searched
	source := c.cfg.Source()
	bounds, err := source.Ingest.Bounds(ctx)
	if err != nil {
		return found, err
	}
	stream, err := source.JS.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return found, fmt.Errorf("look up stream %q: %w", contract.StreamIngest, err)
	}
	if below == 0 || below > bounds.Last+1 {
		below = bounds.Last + 1
	}
	room := searchBytes
	for deadline := time.Now().Add(searchTime); below > bounds.First && time.Now().Before(deadline); {
		from := max(bounds.First, below-min(searchChunk, below))
		chunk := newest{most: most - len(found.Events), room: room}
		err := c.read(ctx, stream, subject, from, below, func(e *event.Event) {
			found.Looked++
			if wanted(e) {
				chunk.add(e)
			}
		})
		if err != nil {
			return found, err
		}
		for _, e := range slices.Backward(chunk.events) {
			found.Events = append(found.Events, e)
			below = e.Pos.Seq
			room -= e.Size()
		}
		if chunk.full {
			break
		}
		below = from
	}
	if below > bounds.First {
		found.Below = below
	}
	return found, nil
}

// newest keeps the last few of the events that it is given.
type newest struct {
	most, room int
	events     []*event.Event
	// full says that there is no room for another one.
	full bool
}

func (n *newest) add(e *event.Event) {
	n.events = append(n.events, e)
	n.room -= e.Size()
	for len(n.events) > 1 && (len(n.events) > n.most || n.room < 0) {
		n.room += n.events[0].Size()
		n.events, n.full = n.events[1:], true
	}
	n.full = n.full || len(n.events) == n.most
}

// read visits the events of a subject from a sequence on, up to another one. Erased
// events are left out.
func (c *Console) read(ctx context.Context, stream jetstream.Stream, subject string, from, below uint64, visit func(*event.Event)) error {
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: subject, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, InactiveThreshold: readUnused,
	})
	if err != nil {
		return fmt.Errorf("read ingest from %d on: %w", from, err)
	}
	info := consumer.CachedInfo()
	defer func() {
		_ = stream.DeleteConsumer(context.WithoutCancel(ctx), info.Name) // the server also removes it, a little later
	}()
	left := int(min(info.NumPending, below-from))
	for left > 0 {
		taken, done, err := c.fetch(ctx, consumer, min(left, readBatch), below, visit)
		if err != nil {
			return fmt.Errorf("read ingest from %d on: %w", from, err)
		}
		if left -= taken; done || taken == 0 {
			return nil // at the end, or removed meanwhile
		}
	}
	return nil
}

// fetch visits the next n events; done is true when one is not below the bound.
func (c *Console) fetch(ctx context.Context, consumer jetstream.Consumer, n int, below uint64, visit func(*event.Event)) (taken int, done bool, err error) {
	batch, err := consumer.Fetch(n, jetstream.FetchContext(ctx))
	if err != nil {
		return 0, false, err
	}
	for m := range batch.Messages() {
		taken++
		meta, err := m.Metadata()
		if err != nil {
			return taken, false, err
		}
		if meta.Sequence.Stream >= below {
			done = true
			continue
		}
		if e := c.decode(meta.Sequence.Stream, meta.Timestamp.UTC(), m.Subject(), m.Headers(), m.Data()); e != nil {
			visit(e)
		}
	}
	return taken, done, batch.Error()
}

// decode makes an event of a message of ingest; nil for an erased one, and for a message
// that is none.
func (c *Console) decode(seq uint64, at time.Time, subject string, header map[string][]string, data []byte) *event.Event {
	g := c.cfg.Source().Ingest
	e, err := event.Decode(g.PositionOf(seq), at, subject, header, data)
	if err != nil || g.Erased(e) {
		return nil
	}
	return e
}

// eventAt reads one event; nil without an error where ingest does not hold it.
func (c *Console) eventAt(ctx context.Context, seq uint64) (*event.Event, error) {
	e, err := c.cfg.Source().Ingest.Event(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // as the comment says
	}
	return e, err
}
