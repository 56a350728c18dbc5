package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// LedgerSubject holds the one document that all hubs must agree on. It lies in
// a stream of its own because stream metadata has no compare-and-set.
const LedgerSubject = "replhub._ledger"

// ledgerConfig is the stream that holds the ledger.
func (g *Ingest) ledgerConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              contract.StreamLedger,
		Description:       "replhub: epochs, trim floor and pins of the stream " + contract.StreamIngest,
		Subjects:          []string{LedgerSubject},
		MaxMsgsPerSubject: 1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		Replicas:          g.cfg.Replicas,
	}
}

// readLedger reads the document from the stream's leader, with the revision
// for a compare-and-set, which is 0 where there is no document.
func (g *Ingest) readLedger(ctx context.Context) (retention.Ledger, uint64, error) {
	var msg *jetstream.RawStreamMsg
	err := g.record.Do(ctx, func(ctx context.Context, s jetstream.Stream) (err error) {
		msg, err = s.GetLastMsgForSubject(ctx, LedgerSubject)
		return err
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return retention.Ledger{}, 0, nil
	}
	if err != nil {
		return retention.Ledger{}, 0, fmt.Errorf("read the ledger: %w", err)
	}
	l, err := retention.Decode(msg.Data)
	if err != nil {
		return retention.Ledger{}, 0, fmt.Errorf("stream %q: %w", contract.StreamLedger, err)
	}
	return l, msg.Sequence, nil
}

// writeLedger stores the document if its revision is still the given one.
func (g *Ingest) writeLedger(ctx context.Context, l retention.Ledger, revision uint64) (stored bool, err error) {
	data, err := retention.Encode(l)
	if err != nil {
		return false, err
	}
	err = g.record.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
		_, err := g.cfg.JS.Publish(ctx, LedgerSubject, data, jetstream.WithExpectLastSequencePerSubject(revision))
		return err
	})
	if hubstream.WrongSequence(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write the ledger: %w", hubstream.Diagnose(ctx, g.cfg.JS, contract.StreamLedger, err))
	}
	return true, nil
}

// reportLost reports that the ledger was missing at the start, though ingest was
// there.
func (g *Ingest) reportLost(b Bounds) {
	text := fmt.Sprintf("stream %s was deleted while no hub ran: the epochs go on behind those that the lanes know, and the trim floor is ingest's first event, %d", g.record.Name(), b.First)
	if g.cfg.Report != nil {
		g.cfg.Report(g.record.Name(), text)
		return
	}
	g.cfg.Logger.Error("ledger lost", "text", text)
}
