package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/subjects"
)

// Look is a lane's stream as a question found it, for whoever asks several
// things at once: each lookup of a stream is a request of its own.
type Look struct {
	js      jetstream.JetStream
	service subjects.Name
	stream  jetstream.Stream
}

// NewLook looks at a lane through its stream, just looked up.
func NewLook(js jetstream.JetStream, service subjects.Name, stream jetstream.Stream) Look {
	return Look{js, service, stream}
}

// Tip is ReadTip.
func (l Look) Tip(ctx context.Context) (Tip, error) { return readTipOf(ctx, l.stream, l.service) }

// Workers is Workers.
func (l Look) Workers(ctx context.Context) (map[string]*jetstream.ConsumerInfo, error) {
	return hubConsumers(ctx, l.js, l.stream)
}

// State is the newest state record, without what the copies behind it say of
// the lane's position.
func (l Look) State(ctx context.Context) (State, error) {
	if cfg := l.stream.CachedInfo().Config; !hubstream.Is(cfg) {
		return State{}, fmt.Errorf("%w: %w", ErrNoLane, &hubstream.ForeignError{Stream: cfg.Name})
	}
	m, err := lastState(ctx, l.stream, subjects.State(l.service))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return State{}, ErrNoLane // dropped meanwhile
	case errors.Is(err, jetstream.ErrMsgNotFound) && l.stream.CachedInfo().State.LastSeq == 0:
		return State{}, ErrNoLane // being made
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return State{}, ErrStateLost
	case err != nil:
		return State{}, fmt.Errorf("read the state of lane %s: %w", l.service, err)
	}
	return record.Decode(m.Data)
}
