package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// laneStatus reads a lane's status from its stream, and adds what this hub
// knows when it is the one that copies into it. The dead letters are the
// caller's to count.
func (h *Hub) laneStatus(ctx context.Context, service subjects.Name, end ingest.Mark) (laneReport, error) {
	stream, err := h.lookUp(ctx, service)
	if err != nil {
		return laneReport{}, err
	}
	info := stream.CachedInfo()
	status := laneReport{LaneStatus: contract.LaneStatus{
		Service: service.String(), Stream: info.Config.Name, Owner: h.ownerOf(service),
		Messages: info.State.Msgs, Bytes: info.State.Bytes,
		Interests: []contract.InterestStatus{}, Workers: []contract.WorkerStatus{},
	}}
	tip, err := lane.NewLook(h.js, service, stream).Tip(ctx)
	switch {
	case errors.Is(err, lane.ErrStateLost), errors.Is(err, lane.ErrNewer):
		status.State, status.Reason, status.trouble = contract.LaneParked, err.Error(), troubleOf(err)
		return status, nil
	case err != nil:
		return laneReport{}, err
	}
	at := h.describeState(&status, service, tip.State, end)
	h.describeLag(ctx, &status, at, end)
	if err := h.describeWorkers(ctx, &status, service, stream); err != nil {
		return laneReport{}, err
	}
	h.describeMissing(ctx, &status, service, stream, tip.State)
	h.describeQuota(&status, service)
	status.Unavailable = h.away.of(service)
	return status, nil
}

// describeState tells what a lane's state says, and returns where the lane stands.
func (h *Hub) describeState(status *laneReport, service subjects.Name, s lane.State, end ingest.Mark) ingest.Mark {
	// What is in the owner's memory is newer than the stream.
	var waiting map[string]string
	if l := h.lanes.get(service); l != nil && l.Owned() {
		own := l.Status()
		waiting = own.Waiting
		if s.Pos.Before(own.State.Pos.Position) {
			s.Pos = own.State.Pos
		}
		s = furtherSnapshots(s, own.State)
		if own.Stalled != "" {
			status.State, status.Reason, status.trouble = contract.LaneStalled, own.Stalled, troubleOf(own.Cause)
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
	describeFills(&status.LaneStatus, s, waiting)
	parked := h.parkedReason(service)
	switch {
	case s.Detached != nil:
		status.State, status.Reason, status.Since = contract.LaneDetached, s.Detached.Reason, &s.Detached.Time
		status.trouble = troubleOfDetached(s.Detached)
	case parked != "":
		// A record that a newer hub wrote is all that a lane is parked for.
		status.State, status.Reason, status.trouble = contract.LaneParked, parked, contract.TroubleNewerRecord
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

// describeLag tells how far a lane at a mark is behind the end of ingest, and the
// age of the oldest event that it has not dealt with.
func (h *Hub) describeLag(ctx context.Context, status *laneReport, at, end ingest.Mark) {
	if status.Lag == 0 {
		return
	}
	next := at.Seq + 1
	if at.Epoch < end.Epoch {
		// The lane has not resumed yet: it goes on with the first event stored
		// after its own, under whatever sequence.
		next = 1
		if !at.Time.IsZero() {
			if seq, err := h.ingest.SeqAt(ctx, at.Time.Add(1)); err == nil {
				next = seq
			}
		}
	}
	status.Lag, status.LagSeconds = 0, 0
	if next <= end.Seq {
		status.Lag, status.LagSeconds = end.Seq-next+1, h.age(ctx, next)
	}
}

// age is how many seconds ago ingest stored an event; 0 when it cannot be told.
func (h *Hub) age(ctx context.Context, seq uint64) float64 {
	m, err := h.ingest.MarkBefore(ctx, seq+1)
	if err != nil || m.Time.IsZero() {
		return 0
	}
	return h.since(m.Time)
}

func (h *Hub) parkedReason(service subjects.Name) string {
	if l := h.lanes.get(service); l != nil {
		return l.Parked()
	}
	return ""
}

func interestStatus(service subjects.Name, s lane.State, in lane.Interest) contract.InterestStatus {
	return contract.InterestStatus{
		Service: service.String(), ID: in.ID, Entity: in.Entity, Ops: in.Ops, Filter: in.Filter, Fields: in.Fields,
		Echo: in.Echo, Since: in.Since.Seq, SinceEpoch: in.Since.Epoch, Filling: s.Filling(in.ID),
	}
}

func (h *Hub) describeWorkers(ctx context.Context, status *laneReport, service subjects.Name, stream jetstream.Stream) error {
	workers, err := lane.NewLook(h.js, service, stream).Workers(ctx)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(workers) {
		c := workers[name]
		w := contract.WorkerStatus{
			Consumer: name, Waiting: c.NumWaiting, Pending: c.NumPending, AckPending: c.NumAckPending, Redelivered: c.NumRedelivered,
		}
		if c.Paused {
			w.PausedUntil = c.Config.PauseUntil
		}
		status.Workers = append(status.Workers, w)
		status.Backlog += c.NumPending + uint64(c.NumAckPending)
	}
	oldest, found, err := lane.Oldest(ctx, stream, workers)
	if found {
		status.OldestUnacked = h.since(oldest)
	}
	return err
}

func (h *Hub) doStatus(ctx context.Context, _ subjects.Name, _ none) (any, error) {
	b, err := h.ingest.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	registry := h.cfg.Registry.Status()
	status := contract.Status{
		Hub: h.cfg.ID, Version: h.cfg.Version, Started: h.started, Hubs: *h.members.Load(),
		Ready: h.dispatching.Load(), Degraded: h.listed(h.degraded()),
		Registry: contract.RegistryStatus{
			Kind: h.cfg.RegistryKind, Connected: registry.Connected, Since: registry.Since, Error: registry.Err,
			Alarms: h.listed(append(h.alarms.list(), h.cfg.Registry.Alarms()...)),
		},
		Ingest: contract.IngestStatus{
			Stream: contract.StreamIngest, Epoch: h.ingest.Epoch(), FirstSeq: b.First, LastSeq: b.Last, Messages: b.Messages,
			Bytes: b.Bytes, MaxBytes: h.cfg.IngestMaxBytes, Fill: float64(b.Bytes) / float64(h.cfg.IngestMaxBytes),
			Floor: h.ingest.Floor(), Rate: h.ingest.Rate(b), Full: h.fullIngest.Load(),
		},
	}
	status.Lanes, err = h.countLanes(ctx)
	return status, err
}

// degraded is what keeps this hub from working as it should, though it works.
func (h *Hub) degraded() []string {
	reasons := []string{}
	if s := h.cfg.Registry.Status(); !s.Connected {
		reasons = append(reasons, "registry away: "+s.Err)
	}
	if disk := h.disk(); disk != "" {
		reasons = append(reasons, disk)
	}
	if full := h.fullIngest.Load(); full != nil {
		reasons = append(reasons, full.Message)
	}
	reasons = append(reasons, h.unknown.degraded()...)
	reasons = append(reasons, h.missingStreams()...)
	reasons = append(reasons, h.lacking.list()...)
	for _, l := range h.lanes.all() {
		s := l.Status()
		switch {
		case s.State.Detached != nil:
			reasons = append(reasons, fmt.Sprintf("lane %s detached: %s", l.Service(), s.State.Detached.Reason))
		case l.Parked() != "":
			reasons = append(reasons, fmt.Sprintf("lane %s parked: %s", l.Service(), l.Parked()))
		case s.Stalled != "":
			reasons = append(reasons, fmt.Sprintf("lane %s stalled: %s (since %s)", l.Service(), s.Stalled, s.Since.UTC().Format(time.RFC3339)))
		case h.letters.OverQuota(l.Service()) != "":
			reasons = append(reasons, fmt.Sprintf("lane %s stalled: %s", l.Service(), h.letters.OverQuota(l.Service())))
		}
		for _, id := range sortedKeys(s.Waiting) {
			reasons = append(reasons, fmt.Sprintf("lane %s waits for a snapshot: %s", l.Service(), s.Waiting[id]))
		}
	}
	return reasons
}

func (h *Hub) doExplain(ctx context.Context, service subjects.Name, req contract.Explain) (any, error) {
	if req.Seq == 0 {
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "seq", "say which event, as in {\"seq\":42}")
	}
	state, err := h.freshState(ctx, service)
	if err != nil {
		return nil, err
	}
	if l := h.lanes.get(service); l != nil && l.Owned() && state.Pos.Before(l.Status().State.Pos.Position) {
		state.Pos = l.Status().State.Pos
	}
	pos := event.Position{Epoch: req.Epoch, Seq: req.Seq}
	e, err := h.ingest.Event(ctx, req.Seq)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, err
	}
	if pos.Epoch == 0 {
		pos.Epoch = h.ingest.EpochOf(req.Seq)
	}
	if !h.ingest.Was(pos) {
		return nil, contract.FieldErrorf(contract.CodeNotFound, "epoch", "there never was an event %d in epoch %d; ingest is in epoch %d", pos.Seq, pos.Epoch, h.ingest.Epoch())
	}
	reply := contract.Explained{Service: service.String(), Seq: pos.Seq, Epoch: pos.Epoch}
	if e == nil || e.Pos != pos {
		return h.explainMissing(ctx, reply)
	}
	reply.Entity, reply.Op, reply.Key = e.Subject.Entity().String(), e.Subject.Op().String(), e.Key
	if reply, err = explain(reply, service, state, e); err != nil {
		return nil, err
	}
	return h.explainFate(ctx, reply, service, state, e)
}

func (h *Hub) explainMissing(ctx context.Context, reply contract.Explained) (any, error) {
	b, err := h.ingest.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if reply.Seq > b.Last {
		return nil, contract.FieldErrorf(contract.CodeNotFound, "seq", "ingest ends at %d", b.Last)
	}
	reply.Verdict = contract.VerdictGone
	reply.Reason = fmt.Sprintf("ingest holds events from %d on only, so what was decided then cannot be told any more", b.First)
	return reply, nil
}
