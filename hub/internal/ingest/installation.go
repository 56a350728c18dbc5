package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// Installation reads the installation's id from the ledger. It never changes, whatever
// is deleted while a hub runs.
func (g *Ingest) Installation(ctx context.Context) (id string, err error) {
	err = g.perform(ctx, retention.Install(nuid.Next(), func(found string) retention.Step {
		id = found
		return retention.Done{}
	}), nil)
	return id, err
}

// Present is what exists before Open.
type Present struct {
	// Installation is the installation's id; empty if the ledger has none.
	Installation string
	// Ledger and Events say which streams exist.
	Ledger, Events bool
}

// LookUp finds what exists, and changes nothing.
func LookUp(ctx context.Context, js jetstream.JetStream) (p Present, err error) {
	if _, p.Events, err = lookUp(ctx, js, contract.StreamIngest); err != nil {
		return Present{}, err
	}
	record, exists, err := lookUp(ctx, js, contract.StreamLedger)
	if err != nil || !exists {
		return p, err
	}
	p.Ledger = true
	msg, err := record.GetLastMsgForSubject(ctx, LedgerSubject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return p, nil
	case err != nil:
		return Present{}, fmt.Errorf("read the ledger: %w", err)
	}
	var l retention.Ledger
	if err := json.Unmarshal(msg.Data, &l); err != nil {
		return Present{}, fmt.Errorf("decode the ledger (stream %q): %w", contract.StreamLedger, err)
	}
	p.Installation = l.Installation
	return p, nil
}

func lookUp(ctx context.Context, js jetstream.JetStream, name string) (s jetstream.Stream, exists bool, err error) {
	s, err = js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("look up stream %q: %w", name, err)
	}
	return s, true, nil
}
