package lane

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/subjects"
)

// ErrFull means that unacknowledged copies fill the lane up to its limit.
var ErrFull = core.ErrFull

// Hold returns the lowest sequence of a service's lane that must stay because its
// dead letter is not stored yet, or the greatest uint64. workers are the consumers,
// each from one answer of the server.
type Hold func(ctx context.Context, service subjects.Name, workers map[string]*jetstream.ConsumerInfo) (uint64, error)

// HoldNothing is a Hold without dead letters.
func HoldNothing(context.Context, subjects.Name, map[string]*jetstream.ConsumerInfo) (uint64, error) {
	return math.MaxUint64, nil
}

// Trim purges copies that every worker has acknowledged and that were stored before
// cutoff. It keeps the last message and the newest state record. It renews that
// record if the old one would keep history. It returns how many messages were purged.
func (l *Lane) Trim(ctx context.Context, cutoff time.Time) (uint64, error) {
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	if errors.Is(err, ErrStateLost) {
		l.Recheck() // its loop writes a new record
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	found, err := l.look(ctx, cutoff)
	if err != nil || found.Keep <= found.First {
		return 0, err
	}
	if tip.StateSeq < found.Keep {
		l.env.Failpoint("trim record")
		renew := func(_ context.Context, tip Tip) (State, bool, error) { return tip.State, true, nil }
		if _, err := l.Change(ctx, renew); err != nil {
			return 0, err
		}
	}
	l.env.Failpoint("trim")
	// No rewind may be recorded between the look and the purge.
	l.purging.Lock()
	defer l.purging.Unlock()
	known := l.knowing()
	if tip, err = ReadTip(ctx, l.env.JS, l.service); err != nil {
		return 0, err
	}
	return l.purge(ctx, known, tip.StateSeq, cutoff)
}

// knowing is the age of what was read of a lane.
type knowing struct {
	since      time.Time
	connection uint64
}

func (l *Lane) knowing() knowing {
	return knowing{time.Now(), l.env.JS.Conn().Stats().Reconnects}
}

// valid reports whether the lane's server cannot have begun with an older copy of the
// stream meanwhile; see core.ConfirmAfter.
func (l *Lane) valid(k knowing) bool {
	now := l.knowing()
	return now.connection == k.connection && now.since.Sub(k.since) <= core.ConfirmAfter
}

// look finds which messages of the lane may be purged: those stored before cutoff.
func (l *Lane) look(ctx context.Context, cutoff time.Time) (history.Found, error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return history.Found{}, ErrNoLane
	}
	if err != nil {
		return history.Found{}, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	seen := seen{lane: l, stream: stream, look: history.NewLook(cutoff)}
	for {
		switch step := seen.look.Next().(type) {
		case history.Found:
			return step, nil
		case history.Rewinding:
			return history.Found{}, fmt.Errorf("%w: %s of lane %s is from before", ErrRewinding, step.Consumer, l.service)
		case history.Missing:
			return history.Found{}, fmt.Errorf("%w: %s of lane %s", ErrNoConsumer, step.Consumer, l.service)
		default:
			if err := seen.see(ctx, step); err != nil {
				return history.Found{}, err
			}
		}
	}
}

// seen answers a question of a look.
type seen struct {
	lane      *Lane
	stream    jetstream.Stream
	look      *history.Look
	consumers map[string]*jetstream.ConsumerInfo
}

func (s *seen) see(ctx context.Context, step history.Step) error {
	state := s.stream.CachedInfo().State
	switch step := step.(type) {
	case history.SeeStream:
		s.look.StreamSeen(state.FirstSeq, state.LastSeq, state.Msgs, state.FirstTime)
	case history.SeeConsumers:
		asked := time.Now()
		var err error
		if s.consumers, err = hubConsumers(ctx, s.lane.env.JS, s.stream); err != nil {
			return err
		}
		s.look.ConsumersSeen(s.lane.standings.look(s.consumers, asked, time.Now()))
	case history.SeeRecord:
		tip, err := ReadTip(ctx, s.lane.env.JS, s.lane.service)
		if err != nil {
			return err
		}
		var before []string
		for name, info := range s.consumers {
			if !tip.State.OfRewind(GenerationOf(info), laneOf(s.stream.CachedInfo())) {
				before = append(before, name)
			}
		}
		s.look.RecordSeen(Consumers(tip.State.Queue), before)
	case history.SeeMatch:
		match, err := lastMatch(ctx, s.stream, state.LastSeq, s.consumers[step.Consumer].Config)
		if err != nil {
			return err
		}
		s.look.MatchSeen(match)
	case history.SeeTime:
		// The next message, where this one was erased: otherwise the search would take the
		// place for one that is already purged.
		msg, err := s.stream.GetMsg(ctx, step.Seq, jetstream.WithGetMsgSubject(subjects.LaneSubjects(s.lane.service)))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			s.look.TimeSeen(time.Time{}, false)
		case err != nil:
			return fmt.Errorf("read %s at %d: %w", s.lane.stream, step.Seq, err)
		default:
			s.look.TimeSeen(msg.Time, true)
		}
	case history.SeeHeld:
		low, err := s.lane.env.Hold(ctx, s.lane.service, s.consumers)
		if err != nil {
			return err
		}
		s.look.HeldSeen(low)
	}
	return nil
}

// purge purges those messages, below the newest state record, unless that record may not
// be there any more.
func (l *Lane) purge(ctx context.Context, known knowing, stateSeq uint64, cutoff time.Time) (uint64, error) {
	found, err := l.look(ctx, cutoff)
	if err != nil {
		return 0, err
	}
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if err != nil {
		return 0, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	below := history.Below(found, stateSeq, stream.CachedInfo().State.LastSeq)
	if below == 0 || !l.valid(known) {
		return 0, nil
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(below)); err != nil {
		return 0, fmt.Errorf("purge lane %s below %d: %w", l.service, below, err)
	}
	return below - found.First, nil
}
