package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/rewind"
)

// What package rewind decides and refuses.
type (
	RewindTarget  = rewind.Target
	TooOldError   = rewind.TooOldError
	ForwardsError = rewind.ForwardsError
)

// planRewind finds where a service's workers start again for a target.
func (l *Lane) planRewind(ctx context.Context, s State, target RewindTarget) (*Rewound, error) {
	stream, err := l.env.JS.Stream(ctx, l.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoLane
	}
	if err != nil {
		return nil, fmt.Errorf("look up lane %s: %w", l.service, err)
	}
	p := planning{lane: l, stream: stream}
	for step := rewind.Plan(s, target); ; {
		switch end := step.(type) {
		case rewind.Planned:
			end.Rewound.ID = nuid.Next()
			return &end.Rewound, nil
		case rewind.Refused:
			return nil, end.Err
		}
		if step, err = p.perform(ctx, step); err != nil {
			return nil, err
		}
	}
}

// planning answers the questions of a plan.
type planning struct {
	lane      *Lane
	stream    jetstream.Stream
	consumers map[string]*jetstream.ConsumerInfo
}

func (p *planning) perform(ctx context.Context, step rewind.Step) (rewind.Step, error) {
	state := p.stream.CachedInfo().State
	switch s := step.(type) {
	case rewind.SeeStream:
		return s.Then(rewind.Bounds{First: state.FirstSeq, Last: state.LastSeq, Messages: state.Msgs, Lane: laneOf(p.stream.CachedInfo())}), nil
	case rewind.ReadMessage:
		return readMessage(ctx, p.stream, s)
	case rewind.SeeConsumers:
		return p.seeConsumers(ctx, s)
	case rewind.ReadNext:
		m, err := p.stream.GetMsg(ctx, s.Seq, jetstream.WithGetMsgSubject(p.consumers[s.Consumer].Config.FilterSubject))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return s.Then(0, nil, false), nil
		case err != nil:
			return nil, fmt.Errorf("read lane at %d: %w", s.Seq, err)
		}
		return s.Then(m.Sequence, m.Header, true), nil
	case rewind.SeeMatch:
		match, err := lastMatch(ctx, p.stream, state.LastSeq, p.consumers[s.Consumer].Config)
		if err != nil {
			return nil, err
		}
		return s.Then(match), nil
	}
	return nil, fmt.Errorf("rewind: no such step: %T", step)
}

func (p *planning) seeConsumers(ctx context.Context, s rewind.SeeConsumers) (rewind.Step, error) {
	asked := time.Now()
	var err error
	if p.consumers, err = hubConsumers(ctx, p.lane.env.JS, p.stream); err != nil {
		return nil, err
	}
	floors := p.lane.standings.look(p.consumers, asked, time.Now())
	have := make(map[string]rewind.Consumer, len(p.consumers))
	for name, c := range p.consumers {
		have[name] = rewind.Consumer{
			Delivered: c.Delivered.Stream, Start: c.Config.OptStartSeq, Floor: floors[name], PausedUntil: c.Config.PauseUntil, Generation: GenerationOf(c),
		}
	}
	return s.Then(have), nil
}

func readMessage(ctx context.Context, stream jetstream.Stream, s rewind.ReadMessage) (rewind.Step, error) {
	m, err := stream.GetMsg(ctx, s.Seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return s.Then(nil, false), nil
	case err != nil:
		return nil, fmt.Errorf("read lane at %d: %w", s.Seq, err)
	}
	return s.Then(m.Header, true), nil
}

// copyAt is the first copy at or behind a sequence of a lane; zero without one.
func copyAt(ctx context.Context, stream jetstream.Stream, seq, last uint64) (m ingest.Mark, err error) {
	step := rewind.CopyAt(seq, last, func(found ingest.Mark, _ bool) rewind.Step {
		m = found
		return rewind.Done{}
	})
	for {
		read, is := step.(rewind.ReadMessage)
		if !is {
			return m, nil
		}
		if step, err = readMessage(ctx, stream, read); err != nil {
			return m, err
		}
	}
}
