package kvmap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/tree"
)

// markerTTL is how long the mark of a deleted or expired key is kept. A map
// that was away for longer reads everything anyway.
const markerTTL = time.Hour

// Headers and values of the key-value convention of NATS.
const (
	headerOperation = "KV-Operation"
	operationPurge  = "PURGE"
)

// codeBytesRequired refuses a stream without a limit, and demandedBytes is the limit
// that the bucket gets then: an account may demand one of every stream.
const (
	codeBytesRequired jetstream.ErrorCode = 10113
	demandedBytes                         = 32 << 20
)

// bucket returns the bucket's stream, created or adapted as needed.
func (m *Map) bucket(ctx context.Context) (jetstream.Stream, error) {
	name := m.cfg.streamName()
	stream, err := m.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := m.presence.missing(ctx); err != nil {
			return nil, fmt.Errorf("create bucket %q: %w", m.cfg.Bucket, err)
		}
		cfg := m.streamConfig()
		stream, err = m.js.CreateStream(ctx, cfg)
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeBytesRequired {
			cfg.MaxBytes = demandedBytes
			stream, err = m.js.CreateStream(ctx, cfg)
		}
		if err != nil {
			return nil, fmt.Errorf("create bucket %q: %w", m.cfg.Bucket, err)
		}
		m.found()
		return stream, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for bucket %q: %w", m.cfg.Bucket, err)
	}
	m.found()
	return m.adopt(ctx, stream)
}

// streamConfig is that of a key-value bucket, as the nats CLI would read it,
// without direct gets: a replica may answer those from the past.
func (m *Map) streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                   m.cfg.streamName(),
		Subjects:               []string{m.cfg.prefix() + ">"},
		MaxMsgsPerSubject:      1,
		Discard:                jetstream.DiscardNew,
		Replicas:               m.cfg.Replicas,
		Duplicates:             2 * time.Minute,
		AllowRollup:            true,
		DenyDelete:             true,
		AllowMsgTTL:            true,
		SubjectDeleteMarkerTTL: markerTTL,
	}
}

// adopt gives a bucket that was made without us what members and exact reads
// need, and leaves the rest as it is.
func (m *Map) adopt(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	cfg := stream.CachedInfo().Config
	if cfg.AllowMsgTTL && cfg.SubjectDeleteMarkerTTL > 0 && !cfg.AllowDirect {
		return stream, nil
	}
	cfg.AllowMsgTTL, cfg.AllowDirect = true, false
	if cfg.SubjectDeleteMarkerTTL == 0 {
		cfg.SubjectDeleteMarkerTTL = markerTTL
	}
	stream, err := m.js.UpdateStream(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("adapt bucket %q: %w", m.cfg.Bucket, err)
	}
	m.cfg.Logger.Info("registry bucket adapted", "bucket", m.cfg.Bucket)
	return stream, nil
}

// last reads a key's last message from the stream's leader; tree.ErrNotFound
// when there is none.
func (m *Map) last(ctx context.Context, path string) (*jetstream.RawStreamMsg, error) {
	stream, err := m.bucket(ctx)
	if err != nil {
		return nil, translate(err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, m.subject(path))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, tree.ErrNotFound
	}
	if err != nil {
		return nil, translate(err)
	}
	return msg, nil
}

func (m *Map) subject(path string) string {
	return m.cfg.prefix() + strings.ReplaceAll(path, "/", ".")
}

// target is where a path's value is published. Leafnodes do not pass on a bucket's own
// subjects: in another domain, or behind a prefix, they are a part of the API.
func (m *Map) target(path string) string {
	switch o := m.js.Options(); {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "." + m.subject(path)
	case o.Domain != "":
		return "$JS." + o.Domain + ".API." + m.subject(path)
	default:
		return m.subject(path)
	}
}

// path is the path of a subject in the bucket; ok is false for a key that is
// none's.
func (m *Map) path(subject string) (path string, ok bool) {
	key := strings.TrimPrefix(subject, m.cfg.prefix())
	if strings.Contains(key, "/") {
		return key, false
	}
	return strings.ReplaceAll(key, ".", "/"), true
}

// removed reports whether a message marks its key as deleted or expired,
// rather than holding a value, which may be empty.
func removed(h nats.Header) bool {
	return h.Get(headerOperation) != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// connected waits for the connection: what is published without one would be
// sent some time, long after its caller gave up.
func connected(ctx context.Context, nc *nats.Conn) error {
	changes := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(changes)
	for {
		switch nc.Status() {
		case nats.CONNECTED:
			return nil
		case nats.CLOSED:
			return nats.ErrConnectionClosed
		default:
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// unavailable marks err as "the store cannot be reached now".
func unavailable(err error) error { return fmt.Errorf("%w: %w", tree.ErrUnavailable, err) }

// translate gives the library's errors the words of package tree. What the
// server answers about a write is an answer; all else leaves the outcome open.
func translate(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tree.ErrUnavailable):
		return err
	case errors.As(err, &api) && wrongSequence(api.ErrorCode):
		return fmt.Errorf("%w: %w", tree.ErrConflict, err)
	case errors.As(err, &api) && api.Code < 500:
		return err
	}
	return unavailable(err)
}

// wrongSequence: replicated streams have a code of their own for it.
func wrongSequence(code jetstream.ErrorCode) bool {
	return code == jetstream.JSErrCodeStreamWrongLastSequence ||
		code == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}
