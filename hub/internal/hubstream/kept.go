package hubstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// KeptConfig configures a Kept. JS, Stream and Logger are required.
type KeptConfig struct {
	JS     jetstream.JetStream
	Stream jetstream.StreamConfig
	// Loss says what is lost with the stream, for the report of its deletion.
	Loss string
	// Restore puts back this process's knowledge of the content; nil has no effect.
	// It is called after each deletion, also if another process has created the
	// stream again, so it must merge. After an error it is called again.
	Restore func(ctx context.Context) error
	// Report takes the sentence that says what was deleted and lost, once for
	// each deletion; nil logs it as an error.
	Report func(stream, text string)
	Logger *slog.Logger
}

// Kept is a stream that the hub cannot work without. If it is deleted while the hub
// runs, it is created again, by the first caller that needs it or by Look, which the
// hub calls every few seconds. Its methods may be called concurrently.
type Kept struct {
	cfg KeptConfig
	// token is held by the caller who creates the stream.
	token chan struct{}

	mu     sync.Mutex // guards the rest
	handle jetstream.Stream
	// created is the creation time, which distinguishes streams of the same name.
	created time.Time
	// gone is since when the stream is known to be missing; zero when it is there.
	gone time.Time
}

// NewKept makes a Kept. Open must succeed before anything else is called.
func NewKept(cfg KeptConfig) *Kept {
	return &Kept{cfg: cfg, token: make(chan struct{}, 1)}
}

// Name is the stream's name.
func (k *Kept) Name() string { return k.cfg.Stream.Name }

// Open creates the stream or takes it over, with its settings brought up to date.
func (k *Kept) Open(ctx context.Context) error {
	s, err := Ensure(ctx, k.cfg.JS, k.cfg.Stream)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handle, k.created, k.gone = s, s.CachedInfo().Created, time.Time{}
	return nil
}

// Missing reports whether the stream was gone when it was last looked at.
func (k *Kept) Missing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.gone.IsZero()
}

const (
	// leaderTime is how long an op is repeated if an existing stream does not answer:
	// longer than an election takes.
	leaderTime = 4 * time.Second
	// leaderPause is the time between two calls.
	leaderPause = 20 * time.Millisecond
)

// Do calls op with the stream. An op that fails because the stream is gone is
// called again, once the stream is there. On a cluster a new stream has no leader
// at first; op is then called again until it has, for some seconds.
func (k *Kept) Do(ctx context.Context, op func(ctx context.Context, s jetstream.Stream) error) error {
	k.mu.Lock()
	s := k.handle
	k.mu.Unlock()
	began := time.Now()
	for {
		err := op(ctx, s)
		if !Gone(err) || time.Since(began) > leaderTime {
			return err
		}
		found, missing := k.Look(ctx)
		if missing != nil {
			return missing
		}
		s = found
		select {
		case <-ctx.Done():
			return err
		case <-time.After(leaderPause):
		}
	}
}

// Gone reports whether an error may mean that a stream does not exist. A publish
// that no stream takes is answered like one whose stream has no leader.
func Gone(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, nats.ErrNoResponders)
}

// Leaderless reports whether an error may mean that a stream has no leader, or that
// the server asked does not know it yet. The message was then not stored.
func Leaderless(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		ok && api.Code == http.StatusServiceUnavailable
}

// Look asks the server for the stream, with fresh information, and creates it when it
// is not there. It returns a *ForeignError for a stream of its name that is not the
// hub's.
func (k *Kept) Look(ctx context.Context) (jetstream.Stream, error) {
	s, err := k.cfg.JS.Stream(ctx, k.Name())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = k.create(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %q: %w", k.Name(), err)
	}
	if !Is(s.CachedInfo().Config) {
		return nil, &ForeignError{Stream: k.Name()}
	}
	k.met(ctx, s)
	return s, nil
}

// create waits until the deletion must be over, and creates the stream if nobody
// else has done so meanwhile.
func (k *Kept) create(ctx context.Context) (jetstream.Stream, error) {
	select {
	case k.token <- struct{}{}:
		defer func() { <-k.token }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		s, err := k.cfg.JS.Stream(ctx, k.Name())
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return s, err
		}
		left := DeletionTime - time.Since(k.missed())
		if left <= 0 {
			return Ensure(ctx, k.cfg.JS, k.cfg.Stream)
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// missed is since when the stream is known to be missing, which is now when
// nobody has noticed before.
func (k *Kept) missed() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone.IsZero() {
		k.gone = time.Now()
		k.cfg.Logger.Warn("a stream of the hub is gone; creating it again", "stream", k.Name())
	}
	return k.gone
}

// met notes the present stream, and restores its content if it is not the stream from
// before.
func (k *Kept) met(ctx context.Context, s jetstream.Stream) {
	k.mu.Lock()
	before, now := k.created, s.CachedInfo().Created
	k.handle, k.created, k.gone = s, now, time.Time{}
	k.mu.Unlock()
	if before.Equal(now) {
		return
	}
	if k.cfg.Restore != nil {
		if err := k.cfg.Restore(ctx); err != nil {
			k.cfg.Logger.Warn("restore a stream; trying again", "stream", k.Name(), "err", err)
			k.mu.Lock()
			k.created = before
			k.mu.Unlock()
			return
		}
	}
	text := fmt.Sprintf("stream %s was deleted and created again at %s: %s", k.Name(), now.UTC().Format(time.RFC3339), k.cfg.Loss)
	if k.cfg.Report != nil {
		k.cfg.Report(k.Name(), text)
		return
	}
	k.cfg.Logger.Error("stream created again", "text", text)
}
