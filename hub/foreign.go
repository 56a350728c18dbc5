package hub

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// refuseForeign refuses the first start beside a stream with a lane's name that is
// not the hub's: the account is then likely the wrong one. Once the hub has streams
// of its own, such a stream raises an alarm.
func (h *Hub) refuseForeign(ctx context.Context) error {
	for _, own := range []string{contract.StreamIngest, contract.StreamLedger} {
		if _, err := h.js.Stream(ctx, own); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	names, err := jsapi.StreamNames(ctx, h.js, "sub.>")
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := subjects.ParseLaneStream(name); !ok {
			continue
		}
		stream, err := h.js.Stream(ctx, name)
		if err == nil && !hubstream.Is(stream.CachedInfo().Config) {
			return &hubstream.ForeignError{Stream: name}
		}
	}
	return nil
}
