package hub

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/hub/internal/control"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// verbRenew is the request of a hub to the hub that owns a lane, to append the lane's
// state record again.
const verbRenew = "_renew"

// renewed is the reply. It needs nothing to say.
type renewed struct{}

// renew has a lane's state record appended again, unchanged, by the hub that owns the
// lane. When it returns, that hub works by the record. An append of any other hub that has
// not read the record is refused. Unlike Fence, another append is not as good: a writer
// that appends may have read the ledger long ago.
func (h *Hub) renew(ctx context.Context, service subjects.Name) error {
	if owner := h.hubs.Owner(service); owner != h.cfg.ID {
		asked, cancel := context.WithTimeout(ctx, laneTime)
		defer cancel()
		m, err := h.hubs.Ask(asked, owner, verbRenew, service, []byte("{}"))
		if err == nil && m.Header.Get(micro.ErrorCodeHeader) == "" {
			return nil
		}
		// The owner may be gone, or older than this verb: this hub appends in its place.
	}
	_, err := h.doRenew(ctx, service, control.None{})
	return err
}

// doRenew appends the state record of a lane again.
func (h *Hub) doRenew(ctx context.Context, service subjects.Name, _ control.None) (any, error) {
	l, err := h.lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, laneTime)
	defer cancel()
	_, err = l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		if tip.State.Dropped {
			return tip.State, false, lane.ErrDropped
		}
		return tip.State, true, nil
	})
	return renewed{}, err
}
