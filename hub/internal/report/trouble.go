package report

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// Lane is a lane's status, and the class of the lane's trouble. The status describes
// the trouble in a sentence; a metric's label needs the class, because sentences have
// unboundedly many values.
type Lane struct {
	contract.LaneStatus

	// Trouble has a meaning only if the state is one of trouble.
	Trouble contract.Trouble
}

// troubleOf is the class of the trouble that keeps a lane from making progress.
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
	case is(lane.ErrNewer, retention.ErrNewer):
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
