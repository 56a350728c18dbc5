// Package hubstream creates the hub's streams and recognises them again by their
// metadata (contract.MetadataKey). A stream of the same name without that metadata is
// foreign and is never changed. The package does not read the content of a stream.
package hubstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/internal/contract"
)

// DeletionTime is how long the server may still be at work on a deletion after
// it has begun to answer that a stream is not there. A stream created again meanwhile
// loses its folder to that: the server moves the folder of that name away at the
// end (nats-server 2.15, stream.go, stop, and filestore.go, Delete).
const DeletionTime = time.Second

// ForeignError refuses a stream that has one of the hub's names without the hub's
// metadata, or another name and one of the hub's subjects.
type ForeignError struct {
	Stream string
	// Subject is the hub's subject that a stream of another name takes; else empty.
	Subject string
}

// Error says what is wrong and what to do.
func (e *ForeignError) Error() string {
	if e.Subject != "" {
		return fmt.Sprintf("stream %q takes the subject %s, which replhub needs for a stream of its own: change the stream's subjects or delete it, or use another account or domain",
			e.Stream, e.Subject)
	}
	return fmt.Sprintf("stream %q exists but was not made by replhub (no metadata %s=%s): rename or delete it, or use another account or domain",
		e.Stream, contract.MetadataKey, contract.MetadataValue)
}

// MirrorError refuses a stream of the hub's that mirrors one in another place: nothing
// can be published to it.
type MirrorError struct{ Stream, Of string }

// Error says what is wrong and what to do.
func (e *MirrorError) Error() string {
	return fmt.Sprintf("stream %q is a mirror of %q in another place: run the hub there, or, if that place is lost, promote the mirror (docs/operations.md, Several places)",
		e.Stream, e.Of)
}

// Is reports whether a stream is the hub's, by the metadata in its configuration.
func Is(cfg jetstream.StreamConfig) bool {
	return cfg.Metadata[contract.MetadataKey] == contract.MetadataValue
}

// SmallBytes is the limit of a stream without one where the account demands limits. The
// server counts it as used. The hub's own documents take a small part of it.
const SmallBytes = 32 << 20

// Ensure is EnsureBytes for a small stream.
func Ensure(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	return EnsureBytes(ctx, js, cfg, SmallBytes)
}

// EnsureBytes returns the stream of cfg, created when absent and brought to cfg, but for
// its replicas, when its settings differ. It returns a *ForeignError for a
// stream that is not the hub's, and a *MirrorError for a mirror. If cfg states no limit
// and the account demands one, the stream has at least the given bytes.
func EnsureBytes(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig, bytes int64) (jetstream.Stream, error) {
	cfg.Metadata = maps.Clone(cfg.Metadata)
	if cfg.Metadata == nil {
		cfg.Metadata = make(map[string]string, 1)
	}
	cfg.Metadata[contract.MetadataKey] = contract.MetadataValue

	s, err := js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = stating(cfg, bytes, func(cfg jetstream.StreamConfig) (jetstream.Stream, error) { return js.CreateStream(ctx, cfg) })
		if err == nil {
			return s, nil
		}
		if api, is := errors.AsType[*jetstream.APIError](err); is && api.ErrorCode == codeOverlap {
			err = cmp.Or(Taken(ctx, js, cfg.Name, cfg.Subjects...), err)
		}
		// Another hub may have been first with settings of its own.
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, fmt.Errorf("create stream %q: %w", cfg.Name, err)
		}
		s, err = js.Stream(ctx, cfg.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %q: %w", cfg.Name, err)
	}
	have := s.CachedInfo().Config
	if !Is(have) {
		return nil, &ForeignError{Stream: cfg.Name}
	}
	if have.Mirror != nil {
		return nil, &MirrorError{Stream: cfg.Name, Of: have.Mirror.Name}
	}
	if same(have, cfg) {
		return s, nil
	}
	// Operators add sources (an edge's events), choose servers and compress. The replicas
	// are changed later, in the background (hub/layout.go).
	cfg.Sources = have.Sources
	cfg.Replicas = have.Replicas
	cfg.Placement, cfg.Compression = have.Placement, have.Compression
	// A server that has fast ingest keeps it, although a hub may have connected to an older
	// server of the cluster.
	cfg.AllowBatchPublish = cfg.AllowBatchPublish || have.AllowBatchPublish
	cfg.DenyDelete = have.DenyDelete // of an earlier version; the server refuses to change it
	for key, value := range have.Metadata {
		if _, set := cfg.Metadata[key]; !set {
			cfg.Metadata[key] = value
		}
	}
	s, err = stating(cfg, max(have.MaxBytes, bytes), func(cfg jetstream.StreamConfig) (jetstream.Stream, error) { return js.UpdateStream(ctx, cfg) })
	if err != nil {
		return nil, fmt.Errorf("update stream %q: %w", cfg.Name, err)
	}
	return s, nil
}

// codeOverlap is the server's code for a stream whose subjects another stream takes.
const codeOverlap jetstream.ErrorCode = 10065

// Taken returns a *ForeignError if a stream of another name takes one of a stream's
// subjects, which the server gives to one stream only.
func Taken(ctx context.Context, js jetstream.JetStream, stream string, subjects ...string) error {
	for _, subject := range subjects {
		names, err := jsapi.StreamNames(ctx, js, subject)
		if err != nil {
			return err
		}
		for _, name := range names {
			if name != stream {
				return &ForeignError{Stream: name, Subject: subject}
			}
		}
	}
	return nil
}

// stating has a stream created or updated, with bytes for its limit if it has none and the
// account demands one.
func stating(cfg jetstream.StreamConfig, bytes int64, do func(jetstream.StreamConfig) (jetstream.Stream, error)) (jetstream.Stream, error) {
	s, err := do(cfg)
	if demandsBytes(err) && cfg.MaxBytes <= 0 {
		cfg.MaxBytes = bytes
		return do(cfg)
	}
	return s, err
}

// same compares what the hub sets and a running stream can change.
func same(have, want jetstream.StreamConfig) bool {
	unlimited := func(n int64) int64 { return max(n, 0) }
	return slices.Equal(slices.Sorted(slices.Values(have.Subjects)), slices.Sorted(slices.Values(want.Subjects))) && // of a promoted mirror, none
		unlimited(have.MaxBytes) == unlimited(want.MaxBytes) &&
		unlimited(have.MaxMsgsPerSubject) == unlimited(want.MaxMsgsPerSubject) &&
		have.DiscardNewPerSubject == want.DiscardNewPerSubject &&
		(want.Duplicates == 0 || have.Duplicates == want.Duplicates) &&
		have.AllowAtomicPublish == want.AllowAtomicPublish &&
		(have.AllowBatchPublish || !want.AllowBatchPublish)
}
