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

// Look is a lane's stream, looked up once for several questions, because each lookup
// is a request of its own.
type Look struct {
	js      jetstream.JetStream
	service subjects.Name
	stream  jetstream.Stream
}

// NewLook makes a Look of a stream that was just looked up.
func NewLook(js jetstream.JetStream, service subjects.Name, stream jetstream.Stream) Look {
	return Look{js, service, stream}
}

// Tip is ReadTip.
func (l Look) Tip(ctx context.Context) (Tip, error) { return readTipOf(ctx, l.stream, l.service) }

// Workers is Workers.
func (l Look) Workers(ctx context.Context) (map[string]*jetstream.ConsumerInfo, error) {
	return hubConsumers(ctx, l.js, l.stream)
}

// State returns the newest state record as written, with the position that it states;
// the copies behind it may have moved the position.
func (l Look) State(ctx context.Context) (State, error) {
	if cfg := l.stream.CachedInfo().Config; !hubstream.Is(cfg) {
		return State{}, fmt.Errorf("%w: %w", ErrNoLane, &hubstream.ForeignError{Stream: cfg.Name})
	}
	m, err := lastState(ctx, l.stream, subjects.State(l.service))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return State{}, ErrNoLane // dropped meanwhile
	case errors.Is(err, jetstream.ErrMsgNotFound) && l.stream.CachedInfo().State.LastSeq == 0:
		return State{}, ErrNoLane // the lane is being created
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return State{}, ErrStateLost
	case err != nil:
		return State{}, fmt.Errorf("read the state of lane %s: %w", l.service, err)
	}
	return record.Decode(m.Data)
}
