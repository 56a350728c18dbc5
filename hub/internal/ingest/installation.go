package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

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

// aloneKey is the metadata of the ledger's stream that says in which JetStream domain a
// hub last found no other installation. The domain is in quotes, because the server drops
// empty values. It is no part of the ledger: beside another installation, a published
// message could be stored in both ledgers, and a request about a stream reaches one
// JetStream alone.
const aloneKey = contract.MetadataKey + "_alone_in"

// SetAlone records whether this installation is the only one of its account, as seen from
// a JetStream domain.
func (g *Ingest) SetAlone(ctx context.Context, domain string, alone bool) error {
	return g.record.Do(ctx, func(ctx context.Context, s jetstream.Stream) error {
		info, err := s.Info(ctx)
		if err != nil {
			return fmt.Errorf("look up stream %q: %w", contract.StreamLedger, err)
		}
		cfg := info.Config
		if aloneIn(cfg, domain) == alone {
			return nil
		}
		delete(cfg.Metadata, aloneKey)
		if alone {
			cfg.Metadata[aloneKey] = strconv.Quote(domain)
		}
		if _, err := g.cfg.JS.UpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("update stream %q: %w", contract.StreamLedger, err)
		}
		return nil
	})
}

func aloneIn(cfg jetstream.StreamConfig, domain string) bool {
	return cfg.Metadata[aloneKey] == strconv.Quote(domain)
}

// Present is what exists before Open.
type Present struct {
	// Installation is the installation's id; empty if the ledger has none.
	Installation string
	// Alone says that a hub in this domain last found no other installation.
	Alone bool
	// Ledger and Events say which streams exist.
	Ledger, Events bool
}

// LookUp finds what exists, and changes nothing.
func LookUp(ctx context.Context, js jetstream.JetStream, domain string) (p Present, err error) {
	if _, p.Events, err = lookUp(ctx, js, contract.StreamIngest); err != nil {
		return Present{}, err
	}
	record, exists, err := lookUp(ctx, js, contract.StreamLedger)
	if err != nil || !exists {
		return p, err
	}
	p.Ledger, p.Alone = true, aloneIn(record.CachedInfo().Config, domain)
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
