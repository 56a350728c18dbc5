package replhub

import (
	"context"
	"sync/atomic"
	"time"
)

// PublishAll publishes events one behind the other, without an acknowledgement
// for each, which is several times as quick as PublishBatch on one connection. It
// returns as PublishBatch does: the acknowledgements are those of the leading
// events that are stored, the error is that of the first that is not known to be,
// and events that had no id have one afterwards. Where the server
// acknowledged several events at once, their Acks have no Seq, and do not tell of
// duplicates; the first event's always does, and where that is a duplicate, so do
// all others'.
//
// The order of the events holds as a whole, as long as none is refused; of one key
// it holds always. What other calls publish of the same keys at the same time has
// no order with it.
//
// It needs nats-server 2.14. Where the server takes no batches, and for the rest of
// one that broke, it is PublishBatch, which finds out what became of each event: an
// event that was stored already is known by its id.
func (c *Client) PublishAll(ctx context.Context, events []Event) ([]Ack, error) {
	for i := range events {
		if events[i].ID == "" {
			events[i].ID = newID()
		}
	}
	if len(events) < fewestInBatch || !c.batches.allowed() {
		return c.PublishBatch(ctx, events)
	}
	// The first one's acknowledgement tells whether it was stored before. Then those
	// behind it may have been as well, which a batch would not tell.
	first, err := c.Publish(ctx, events[0])
	if err != nil {
		return nil, err
	}
	acks := append(make([]Ack, 0, len(events)), first)
	for goOn := !first.Duplicate; goOn && len(acks) < len(events); {
		var stored []Ack
		stored, goOn = c.publishTogether(ctx, events[len(acks):])
		acks = append(acks, stored...)
	}
	if len(acks) == len(events) {
		return acks, nil
	}
	rest, err := c.PublishBatch(ctx, events[len(acks):])
	return append(acks, rest...), err
}

// fewestInBatch is the number of events for which a batch, which takes three round
// trips, is quicker than an acknowledgement for each.
const fewestInBatch = 8

// batchesAgain is the time after which a server that took no batch is asked
// again: it may have been upgraded.
const batchesAgain = time.Minute

// batchState is whether ingest takes batches, as far as is known. The zero
// batchState is worth a try.
type batchState struct{ refused atomic.Int64 }

func (s *batchState) allowed() bool {
	at := s.refused.Load()
	return at == 0 || time.Since(time.Unix(0, at)) > batchesAgain
}

func (s *batchState) refuse() { s.refused.Store(time.Now().UnixNano()) }

// publishTogether publishes events in one batch, or as many as fit into one. It
// returns what is known to be stored, and whether another batch may follow for the
// rest.
func (c *Client) publishTogether(ctx context.Context, events []Event) (acks []Ack, goOn bool) {
	if c.inflight.begin() != nil {
		return nil, false // PublishBatch says why
	}
	defer c.inflight.end()
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.PublishTimeout, errPublishTimeout)
	defer cancel()
	b, err := c.openBatch()
	if err != nil {
		return nil, false
	}
	defer b.close()
	whole := b.publish(ctx, events)
	if b.single || b.disabled {
		c.batches.refuse()
	}
	return b.acks(), whole
}
