package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
)

// ledgerSubject holds the one document that all hubs must agree on. It lies in
// a stream of its own because stream metadata has no compare-and-set.
const ledgerSubject = "replhub._ledger"

// ledger is that document.
type ledger struct {
	// Epochs are ascending; the last is the current one.
	Epochs []Range `json:"epochs"`
	// Floor: events of the current stream below it may be purged at any time.
	Floor uint64 `json:"floor"`
	// Pins keep ingest from a sequence on while a registration is under way.
	Pins map[string]pin `json:"pins,omitempty"`
	// Pinnings counts pins that were set, released or have run out. A trim that
	// read the lanes at one count knows nothing of what came later.
	Pinnings uint64 `json:"pinnings,omitempty"`
	// Released are the latest pins that were released or have run out, oldest
	// first, and Forgotten is the count of the latest one that is not among them.
	Released  []release `json:"released,omitempty"`
	Forgotten uint64    `json:"forgotten,omitempty"`
}

// Range is one epoch: the events from First on, until the next range's First,
// of the stream created at Created.
type Range struct {
	Epoch   uint64    `json:"epoch"`
	First   uint64    `json:"first"`
	Created time.Time `json:"created"`
}

func (l *ledger) current() Range { return l.Epochs[len(l.Epochs)-1] }

// epochOf is the epoch of a sequence in the stream that exists now.
func (l *ledger) epochOf(seq uint64) uint64 {
	cur := l.current()
	epoch := cur.Epoch
	for _, r := range slices.Backward(l.Epochs) {
		if !r.Created.Equal(cur.Created) {
			break
		}
		epoch = r.Epoch
		if seq >= r.First {
			break
		}
	}
	return epoch
}

// end returns the first sequence after epoch's range, in terms of the stream
// that exists now, and whether the range is closed. A range of an earlier
// stream ended before this one's first event.
func (l *ledger) end(epoch uint64) (next Range, closed bool) {
	for i, r := range l.Epochs[:len(l.Epochs)-1] {
		if r.Epoch == epoch {
			return l.Epochs[i+1], true
		}
	}
	return Range{}, false
}

// ledgerConfig is the stream that holds the ledger.
func (g *Ingest) ledgerConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              contract.StreamLedger,
		Description:       "replhub: epochs, trim floor and pins of the stream " + contract.StreamIngest,
		Subjects:          []string{ledgerSubject},
		MaxMsgsPerSubject: 1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		Replicas:          g.cfg.Replicas,
	}
}

// readLedger reads the document from the stream's leader, with the revision
// for a compare-and-set. When there is none the revision is 0, and the document
// is what this hub last knew.
func (g *Ingest) readLedger(ctx context.Context) (ledger, uint64, error) {
	var msg *jetstream.RawStreamMsg
	err := g.record.Do(ctx, func(ctx context.Context, s jetstream.Stream) (err error) {
		msg, err = s.GetLastMsgForSubject(ctx, ledgerSubject)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return g.lastKnown(), 0, nil
	}
	if err != nil {
		return ledger{}, 0, fmt.Errorf("read the ledger: %w", err)
	}
	var l ledger
	if err := json.Unmarshal(msg.Data, &l); err != nil {
		return ledger{}, 0, fmt.Errorf("decode the ledger (stream %q): %w", contract.StreamLedger, err)
	}
	return l, msg.Sequence, nil
}

// updateLedger applies change until it stores; change returns false to leave
// the document as it is, and may be called several times.
func (g *Ingest) updateLedger(ctx context.Context, change func(*ledger) (bool, error)) (ledger, error) {
	for {
		l, revision, err := g.readLedger(ctx)
		if err != nil {
			return ledger{}, err
		}
		older := l.recall(g.ledger.Load())
		expired := l.expire(g.Now())
		write, err := change(&l)
		if err != nil {
			return ledger{}, err
		}
		if !write && !older && !expired && (revision > 0 || len(l.Epochs) == 0) {
			g.ledger.Store(&l)
			return l, nil
		}
		data, err := json.Marshal(l)
		if err != nil {
			return ledger{}, fmt.Errorf("encode the ledger: %w", err)
		}
		err = g.record.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
			_, err := g.cfg.JS.Publish(ctx, ledgerSubject, data, jetstream.WithExpectLastSequencePerSubject(revision))
			return err
		})
		if hubstream.WrongSequence(err) {
			continue // another hub was first: decide anew on what it wrote
		}
		if err != nil {
			return ledger{}, fmt.Errorf("write the ledger: %w", hubstream.Diagnose(ctx, g.cfg.JS, contract.StreamLedger, err))
		}
		g.ledger.Store(&l)
		return l, nil
	}
}

// Pin keeps ingest from a sequence on until Unpin, or ten minutes. It returns
// the sequence pinned: want, or the lowest still held when want is below the
// floor. The floor cannot pass a pin, nor a pin be set below the floor.
func (g *Ingest) Pin(ctx context.Context, id string, want uint64) (uint64, error) {
	var got uint64
	_, err := g.updateLedger(ctx, func(l *ledger) (bool, error) {
		got = max(want, l.Floor)
		l.pin(id, got, g.Now().Add(pinTTL))
		return true, nil
	})
	return got, err
}

// Unpin takes a pin away, and reports whether it still held.
func (g *Ingest) Unpin(ctx context.Context, id string) (held bool, err error) {
	_, err = g.updateLedger(ctx, func(l *ledger) (bool, error) {
		held = l.unpin(id)
		return held, nil
	})
	return held, err
}

// raiseFloor moves the floor of the stream created at created up to want, or as
// far as pins allow that are set now or were since the lanes were looked at, and
// returns where it is. pinnings is the count at that look.
func (g *Ingest) raiseFloor(ctx context.Context, want uint64, created time.Time, pinnings uint64) (uint64, error) {
	l, err := g.updateLedger(ctx, func(l *ledger) (bool, error) {
		if !l.current().Created.Equal(created) {
			return false, fmt.Errorf("stream %q was created again just now", contract.StreamIngest)
		}
		allowed, known := l.allowed(want, pinnings)
		if !known || allowed <= l.Floor {
			return false, nil // where it is not known, the next trim looks again
		}
		l.Floor = allowed
		return true, nil
	})
	return l.Floor, err
}

// Epoch is the current epoch as last read.
func (g *Ingest) Epoch() uint64 { return g.ledger.Load().current().Epoch }

// Floor is the trim floor as last read.
func (g *Ingest) Floor() uint64 { return g.ledger.Load().Floor }

// EpochOf is the epoch of a sequence of the present stream, as last read.
func (g *Ingest) EpochOf(seq uint64) uint64 { return g.ledger.Load().epochOf(seq) }

// PositionOf is the position of a sequence of the present stream.
func (g *Ingest) PositionOf(seq uint64) event.Position {
	return event.Position{Epoch: g.EpochOf(seq), Seq: seq}
}

// Pinnings counts the changes of pins. Read it before the lanes are asked what Trim
// is to keep, and hand it to Trim.
func (g *Ingest) Pinnings(ctx context.Context) (uint64, error) {
	l, _, err := g.readLedger(ctx)
	return l.Pinnings, err
}
