package hub

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/jsapi"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// refuseForeign refuses a start beside a stream of this JetStream that is not the hub's
// and takes the ledger's subject. It also refuses the first start beside such a stream
// with a lane's name: the account is then likely the wrong one. Once the hub has streams
// of its own, a stream with a lane's name raises an alarm.
func (h *Hub) refuseForeign(ctx context.Context) error {
	_, err := h.js.Stream(ctx, contract.StreamLedger)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if err := hubstream.Taken(ctx, h.js, contract.StreamLedger, ingest.LedgerSubject); err != nil {
		return err
	}
	if _, err := h.js.Stream(ctx, contract.StreamIngest); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	return refuseForeignLane(ctx, h.js)
}

// refuseForeignLane refuses a stream with a lane's name that is not the hub's.
func refuseForeignLane(ctx context.Context, js jetstream.JetStream) error {
	names, err := jsapi.StreamNames(ctx, js, "sub.>")
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := subjects.ParseLaneStream(name); !ok {
			continue
		}
		stream, err := js.Stream(ctx, name)
		if err == nil && !hubstream.Is(stream.CachedInfo().Config) {
			return &hubstream.ForeignError{Stream: name}
		}
	}
	return nil
}
