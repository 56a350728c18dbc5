package report

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// Lane is a lane's status, and the class of what is wrong with the lane:
// the status has that in words, and a metric's label with sentences would have no
// end of values.
type Lane struct {
	contract.LaneStatus

	// Trouble counts where the state is one of trouble.
	Trouble contract.Trouble
}

// troubleOf is the class of what keeps a lane from getting on.
func troubleOf(err error) contract.Trouble {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	_, large := errors.AsType[*lane.StateTooLargeError](err)
	switch {
	case is(lane.ErrFull):
		return contract.TroubleLaneFull
	case is(deadletter.ErrFull, deadletter.ErrQuota):
		return contract.TroubleLettersFull
	case is(hubstream.ErrDisk, jetstream.ErrJetStreamNotEnabled): // a server whose disk fails may switch JetStream off
		return contract.TroubleDisk
	case large:
		return contract.TroubleRecordTooLarge
	case is(lane.ErrNewer):
		return contract.TroubleNewerRecord
	case is(context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionClosed, jetstream.ErrNoStreamResponse):
		return contract.TroubleNotReachable
	}
	return contract.TroubleOther
}

// troubleOfDetached is the class of why a lane was cut off.
func troubleOfDetached(d *lane.Detached) contract.Trouble {
	if d.Cause == "" {
		return contract.TroubleOther
	}
	return d.Cause
}
