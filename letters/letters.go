// Package letters keeps the dead letters of all services. A letter is durable
// before the event it speaks of can be forgotten; one put twice is stored once
// within the dedupe window. A full stream of letters refuses more: it stalls
// what depends on it and drops nothing.
package letters

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/marked"
	"github.com/replhub/replhub/subjects"
	"github.com/replhub/replhub/wire"
)

// Config is what an Office needs. Only JS has no default.
type Config struct {
	JS jetstream.JetStream
	// Replicas of the streams; 1 by default.
	Replicas int
	// MaxBytes bounds the dead letters; 1 GiB by default.
	MaxBytes int64
	// DedupeWindow is how long a letter put again is recognised; 2 h by default.
	DedupeWindow time.Duration
	// Logger takes what an operator should know; slog.Default by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<30)
	c.DedupeWindow = cmp.Or(c.DedupeWindow, 2*time.Hour)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// Office writes dead letters. Its methods may be called concurrently.
type Office struct {
	cfg Config
}

// Open creates or takes over the streams.
func Open(ctx context.Context, cfg Config) (*Office, error) {
	o := &Office{cfg: cfg.withDefaults()}
	_, err := marked.Ensure(ctx, o.cfg.JS, jetstream.StreamConfig{
		Name:        wire.StreamDLQ,
		Description: "replhub: dead letters",
		Subjects:    []string{"dlq.>"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1,
		MaxBytes:    o.cfg.MaxBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    o.cfg.Replicas,
		Duplicates:  o.cfg.DedupeWindow,
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Run captures exhausted deliveries until ctx ends.
func (o *Office) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Hold is the lowest sequence of a lane that must stay because a delivery from
// there on is exhausted and its letter not stored yet.
func (o *Office) Hold(subjects.Name) uint64 { return ^uint64(0) }

// Count is how many dead letters of a service there are.
func (o *Office) Count(ctx context.Context, service subjects.Name) (uint64, error) {
	s, err := o.cfg.JS.Stream(ctx, wire.StreamDLQ)
	if err != nil {
		return 0, fmt.Errorf("look up stream %q: %w", wire.StreamDLQ, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects.DeadLetterFilter(service)))
	if err != nil {
		return 0, fmt.Errorf("count dead letters of %s: %w", service, err)
	}
	var n uint64
	for _, count := range info.State.Subjects {
		n += count
	}
	return n, nil
}

// Put stores the letter of an event that could not be expanded. It has no
// payload: what the service was not to see stays unseen.
func (o *Office) Put(ctx context.Context, service subjects.Name, e *event.Event, reason string, cause error) error {
	h := nats.Header(e.CopyHeader())
	if reason == wire.ReasonTooLarge {
		h = ownOnly(h) // the publisher's headers may be what is too large
	}
	h.Set(wire.HeaderReason, reason)
	h.Set(wire.HeaderError, cause.Error())
	h.Set(wire.HeaderAttempts, "0")
	h.Set(wire.HeaderMsgID, letterID(service, e.Pos, reason))
	m := &nats.Msg{
		Subject: subjects.DeadLetter(service, e.Subject.Entity(), e.Subject.Op()),
		Header:  h,
	}
	if _, err := o.cfg.JS.PublishMsg(ctx, m); err != nil {
		if marked.Full(err) {
			return fmt.Errorf("dead letters are full (stream %s): redrive or remove some: %w", wire.StreamDLQ, err)
		}
		return fmt.Errorf("store a dead letter: %w", err)
	}
	return nil
}

// letterID makes a letter unique by service, event and cause.
func letterID(service subjects.Name, pos event.Position, reason string) string {
	return fmt.Sprintf("%s/%s/%s", service, pos, reason)
}

func ownOnly(h nats.Header) nats.Header {
	own := make(nats.Header, len(h))
	for name, values := range h {
		if strings.HasPrefix(name, "Replhub-") {
			own[name] = values
		}
	}
	return own
}
