package control

import (
	"context"
	"errors"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Rewind answers replhub.rewind.
func (v *Verbs) Rewind(ctx context.Context, service subjects.Name, req contract.Rewind) (any, error) {
	to, ok := request.ParseMoment(string(req.To))
	if !ok {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "to", "%q is not %s", request.Clip(string(req.To)), request.Moments)
	}
	l, err := v.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	target, err := v.rewindTarget(ctx, to)
	if err != nil {
		return nil, err
	}
	rewind := l.Rewind
	if req.DryRun {
		rewind = l.LookRewind
	}
	seq, again, err := rewind(ctx, target)
	if tooOld, ok := errors.AsType[*lane.TooOldError](err); ok {
		return nil, contract.FieldErrorf(contract.CodeTooOld, "to", "%v", tooOld)
	}
	if forwards, ok := errors.AsType[*lane.ForwardsError](err); ok {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "to", "%v", forwards)
	}
	if err != nil {
		return nil, err
	}
	if !req.DryRun {
		v.cfg.Lanes.Announce(service)
	}
	return contract.Rewound{
		Service: service.String(), Consumers: lane.Consumers(l.Status().State.Queue), Seq: seq, Redelivered: again, DryRun: req.DryRun,
	}, nil
}

// rewindTarget is the place to rewind to; it refuses a place that ingest has not
// reached.
func (v *Verbs) rewindTarget(ctx context.Context, to request.Moment) (lane.RewindTarget, error) {
	_, b, err := v.cfg.Ingest.End(ctx) // which also updates the server's time
	if err != nil {
		return lane.RewindTarget{}, err
	}
	if err := to.Beyond(b.Last, "to"); err != nil {
		return lane.RewindTarget{}, err
	}
	at, err := to.Time(v.cfg.Ingest.Now(), "to")
	return lane.RewindTarget{Epoch: v.cfg.Ingest.Epoch(), Seq: to.Seq, Time: at}, err
}
