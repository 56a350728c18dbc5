package lane

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/subjects"
)

// Errors that callers test for.
var (
	// ErrNoLane means that there is no stream, or that it never got a state record.
	ErrNoLane = errors.New("no such lane")
	// ErrDropped means that the lane has its last record, and that its stream is
	// about to be deleted.
	ErrDropped = errors.New("the lane is being dropped")
	// ErrStopped means that this hub has stopped working on the lane.
	ErrStopped = errors.New("the hub is stopping")
	// ErrNoConsumer means that one of the lane's work queues is missing.
	ErrNoConsumer = errors.New("consumer is missing")
	// ErrRewinding means that the workers are just being rewound.
	ErrRewinding = errors.New("the workers are being rewound")
	// ErrStateLost means that the stream's state record is gone, so that the lane's
	// position is unknown.
	ErrStateLost = errors.New("the lane's state record is gone")
)

// ReadTip reads a lane's newest state record S and its last message M from the
// stream's leader. ErrNoLane means that the server explicitly said that there is no
// lane: no stream, a stream without a state record, or a stream that is not the hub's
// (then the error is a *hubstream.ForeignError as well). Any other error says nothing
// about the lane's position. If M is S, the lane stands where S says. If M is a copy,
// it was made under S, and the cursor of S's phase stands at M's event.
func ReadTip(ctx context.Context, js jetstream.JetStream, service subjects.Name) (Tip, error) {
	stream, err := js.Stream(ctx, subjects.LaneStream(service))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Tip{}, ErrNoLane
	}
	if err != nil {
		return Tip{}, fmt.Errorf("look up lane %s: %w", service, err)
	}
	tip, err := readTipOf(ctx, stream, service)
	tip.Direct = direct(js.Conn(), stream.CachedInfo().Cluster)
	return tip, err
}

// direct reports what record.Tip.Direct says. A server outside a cluster names itself as
// the leader of its streams. Behind a leafnode, another server does.
func direct(nc *nats.Conn, at *jetstream.ClusterInfo) bool {
	return at != nil && at.Name == "" && nc.ConnectedClusterName() == "" && at.Leader != "" && at.Leader == nc.ConnectedServerName()
}

func readTipOf(ctx context.Context, stream jetstream.Stream, service subjects.Name) (Tip, error) {
	if cfg := stream.CachedInfo().Config; !hubstream.Is(cfg) {
		return Tip{}, fmt.Errorf("%w: %w", ErrNoLane, &hubstream.ForeignError{Stream: cfg.Name})
	}
	for {
		tip, err := readTip(ctx, stream, service, stream.CachedInfo().State.LastSeq)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return Tip{}, ErrNoLane // dropped meanwhile
		case !errors.Is(err, errMoved):
			return tip, err
		}
		if _, err := stream.Info(ctx); err != nil {
			return Tip{}, fmt.Errorf("look up lane %s: %w", service, err)
		}
	}
}

// errMoved means that a state record was written between the two reads.
var errMoved = errors.New("lane moved while it was read")

func readTip(ctx context.Context, stream jetstream.Stream, service subjects.Name, last uint64) (Tip, error) {
	if last == 0 {
		return Tip{}, ErrNoLane
	}
	tip := Tip{Last: last}
	s, err := lastState(ctx, stream, subjects.State(service))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return tip, ErrStateLost
	}
	if err != nil {
		return Tip{}, fmt.Errorf("read the state of lane %s: %w", service, err)
	}
	if s.Sequence > last {
		return Tip{}, errMoved
	}
	tip.StateSeq = s.Sequence
	if tip.State, err = record.Decode(s.Data); err != nil {
		return tip, err
	}
	tip.State.Written = s.Time.UTC() // by the server's clock, not the writer's
	for seq := last; seq > s.Sequence; seq-- {
		m, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			// Damaged, or removed by hand; the messages before it are older.
			tip.Unread = record.Gap{First: seq, Last: max(seq, tip.Unread.Last)}
			continue
		}
		if err != nil {
			return Tip{}, fmt.Errorf("read lane %s at %d: %w", service, seq, err)
		}
		var found bool
		if tip, found = tip.Behind(m.Header); found {
			return tip, nil
		}
	}
	return tip, nil
}

// lastState is the newest state record that a hub appended. If a foreign message is
// the last on its subject, the records are searched from the front; there are few.
func lastState(ctx context.Context, stream jetstream.Stream, subject string) (*jetstream.RawStreamMsg, error) {
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if err != nil || record.IsRecord(m.Header) {
		return m, err
	}
	var found *jetstream.RawStreamMsg
	for seq := uint64(1); ; seq = m.Sequence + 1 {
		m, err = stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound) && found != nil:
			return found, nil
		case err != nil:
			return nil, err
		case record.IsRecord(m.Header):
			found = m
		}
	}
}
