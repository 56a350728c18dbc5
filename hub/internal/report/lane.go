package report

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// lane reads a lane's status from its stream, and adds what this hub knows when it is
// the one that copies into it. The caller counts the dead letters.
func (r *Reporter) lane(ctx context.Context, service subjects.Name, end ingest.Mark) (Lane, error) {
	stream, err := r.cfg.Lanes.Stream(ctx, service)
	if err != nil {
		return Lane{}, err
	}
	info := stream.CachedInfo()
	status := Lane{LaneStatus: contract.LaneStatus{
		Service: service.String(), Stream: info.Config.Name, Owner: r.cfg.Hubs.Owner(service),
		LastSeq: info.State.LastSeq, Messages: info.State.Msgs, Bytes: info.State.Bytes,
		Interests: []contract.InterestStatus{}, Workers: []contract.WorkerStatus{},
	}}
	tip, err := lane.NewLook(r.cfg.JS, service, stream).Tip(ctx)
	switch {
	case errors.Is(err, lane.ErrStateLost), errors.Is(err, lane.ErrNewer):
		status.State, status.Reason, status.Trouble = contract.LaneIncompatible, err.Error(), troubleOf(err)
		return status, nil
	case err != nil:
		return Lane{}, err
	}
	at := r.describeState(&status, service, tip.State, end)
	r.describeLag(ctx, &status, at, end)
	if err := r.describeWorkers(ctx, &status, service, stream); err != nil {
		return Lane{}, err
	}
	r.describeMissing(ctx, &status, service, stream, tip.State)
	r.describeQuota(&status, service)
	status.Unavailable = r.cfg.Unavailable.of(service)
	return status, nil
}

// describeState adds a lane's state to its status, and returns the lane's position.
func (r *Reporter) describeState(status *Lane, service subjects.Name, s lane.State, end ingest.Mark) ingest.Mark {
	// The owner's memory is newer than the stream.
	var waiting map[string]string
	var rows map[string]uint64
	if l := r.cfg.Lanes.Get(service); l != nil && l.Owned() {
		own := l.Status()
		waiting, rows = own.Waiting, own.Rows
		if s.Pos.Before(own.State.Pos.Position) {
			s.Pos = own.State.Pos
		}
		s = furtherSnapshots(s, own.State)
		if own.Stalled != "" {
			status.State, status.Reason, status.Trouble = contract.LaneStalled, own.Stalled, troubleOf(own.Cause)
			status.Since = &own.Since
		}
	}
	status.Queue, status.MaxBytes = s.Queue, s.MaxBytes
	status.Epoch, status.Seq = s.Pos.Epoch, s.Pos.Seq
	for _, in := range s.Interests {
		status.Interests = append(status.Interests, interestStatus(service, s, in))
	}
	sortInterests(status.Interests)
	if len(s.Interests) > 0 && s.Detached == nil {
		status.Lag = end.Seq - min(s.Pos.Seq, end.Seq)
		if s.Pos.Epoch < end.Epoch {
			status.Lag = end.Seq
		}
	}
	describeFills(&status.LaneStatus, s, waiting, rows)
	parked := r.parkedReason(service)
	switch {
	case s.Detached != nil:
		status.State, status.Reason, status.Since = contract.LaneDetached, s.Detached.Reason, &s.Detached.Time
		status.Trouble = troubleOfDetached(s.Detached)
	case parked != "":
		// A lane is parked only for a record that a newer hub wrote.
		status.State, status.Reason, status.Trouble = contract.LaneIncompatible, parked, contract.TroubleNewerRecord
	case r.heldReason(service) != "":
		status.State, status.Reason, status.Trouble = contract.LaneStalled, r.heldReason(service), contract.TroubleOther
	case status.State != "":
	case len(s.Fills) > 0:
		status.State, status.Reason = contract.LaneFilling, status.Fill.Stalled
	case status.Lag > 0:
		status.State = contract.LaneBehind
	default:
		status.State = contract.LaneLive
	}
	return s.Pos
}

// describeLag tells how far a lane at a mark is behind the end of ingest, and the age
// of the oldest event that it has not processed.
func (r *Reporter) describeLag(ctx context.Context, status *Lane, at, end ingest.Mark) {
	if status.Lag == 0 {
		return
	}
	next := at.Seq + 1
	if at.Epoch < end.Epoch {
		// The lane has not resumed yet: it will continue with the first event stored
		// after its last one, whatever that event's sequence.
		next = 1
		if !at.Time.IsZero() {
			if seq, err := r.cfg.Ingest.SeqAt(ctx, at.Time.Add(1)); err == nil {
				next = seq
			}
		}
	}
	status.Lag, status.LagSeconds = 0, 0
	if next <= end.Seq {
		status.Lag, status.LagSeconds = end.Seq-next+1, r.age(ctx, next)
	}
}

// age is how many seconds ago ingest stored an event; 0 when that is unknown.
func (r *Reporter) age(ctx context.Context, seq uint64) float64 {
	m, err := r.cfg.Ingest.MarkBefore(ctx, seq+1)
	if err != nil || m.Time.IsZero() {
		return 0
	}
	return r.since(m.Time)
}

func (r *Reporter) parkedReason(service subjects.Name) string {
	if l := r.cfg.Lanes.Get(service); l != nil {
		return l.Parked()
	}
	return ""
}

// heldReason is why this hub copies nothing into a lane of its own.
func (r *Reporter) heldReason(service subjects.Name) string {
	if l := r.cfg.Lanes.Get(service); l != nil && l.Owned() {
		return l.Held()
	}
	return ""
}

func interestStatus(service subjects.Name, s lane.State, in lane.Interest) contract.InterestStatus {
	out := contract.InterestStatus{
		Service: service.String(), ID: in.ID, Entity: in.Entity, Definition: in.Definition,
		Since: in.Since.Seq, SinceEpoch: in.Since.Epoch, Filling: s.Filling(in.ID),
	}
	if in.Policy != nil {
		state, reason := in.Effect()
		out.Policy = &contract.InterestPolicy{Rev: in.Policy.Rev, State: state, Reason: reason, Grant: in.Policy.Grant}
	}
	return out
}

func (r *Reporter) describeWorkers(ctx context.Context, status *Lane, service subjects.Name, stream jetstream.Stream) error {
	workers, err := lane.NewLook(r.cfg.JS, service, stream).Workers(ctx)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(workers) {
		c := workers[name]
		w := contract.WorkerStatus{
			Consumer: name, Waiting: c.NumWaiting, Pending: c.NumPending, AckFloor: c.AckFloor.Stream, AckPending: c.NumAckPending, Redelivered: c.NumRedelivered,
		}
		if c.Paused {
			w.PausedUntil = c.Config.PauseUntil
		}
		status.Workers = append(status.Workers, w)
		status.Backlog += c.NumPending + uint64(c.NumAckPending)
	}
	oldest, found, err := lane.Oldest(ctx, stream, workers)
	if found {
		status.OldestUnacked = r.since(oldest)
	}
	return err
}
