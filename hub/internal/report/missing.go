package report

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/consumers"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// describeMissing reports the consumers that a lane lacks. The backlog of a missing
// consumer is the copies that it is not known to have acknowledged.
func (r *Reporter) describeMissing(ctx context.Context, status *Lane, service subjects.Name, stream jetstream.Stream, s lane.State) {
	if len(status.Workers) == len(lane.Consumers(s.Queue)) {
		return
	}
	missing, err := lane.MissingConsumers(ctx, stream, s)
	if err != nil || len(missing) == 0 {
		return // a consumer whose leader did not answer is not missing
	}
	for _, name := range missing {
		n, err := lane.Unsettled(ctx, stream, service, s, name, r.cfg.Watch.Settled(service))
		if err != nil {
			r.cfg.Logger.Debug("count the copies for a missing consumer", "service", service.String(), "consumer", name, "err", err)
		}
		status.Workers = append(status.Workers, contract.WorkerStatus{Consumer: name, Pending: n, Missing: true})
		status.Backlog += n
	}
	slices.SortFunc(status.Workers, func(a, b contract.WorkerStatus) int { return strings.Compare(a.Consumer, b.Consumer) })
	switch status.State {
	case contract.LaneDetached, contract.LaneIncompatible, contract.LaneStalled:
	default:
		status.State, status.Reason, status.Trouble = contract.LaneStalled, consumers.MissingText(missing), contract.TroubleOther
	}
}

// describeQuota reports that a service's dead letters are refused.
func (r *Reporter) describeQuota(status *Lane, service subjects.Name) {
	text := r.cfg.DeadLetters.OverQuota(service)
	if text == "" {
		return
	}
	switch status.State {
	case contract.LaneDetached, contract.LaneIncompatible, contract.LaneStalled:
	default:
		status.State, status.Reason, status.Trouble = contract.LaneStalled, text, contract.TroubleLettersFull
	}
}
