package erase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// fetchAtOnce is how many messages of a lane are fetched at a time, and fetchTime how
	// long the server may wait for them.
	fetchAtOnce = 500
	fetchTime   = time.Second
	// streamTime bounds the work on one stream in a page. A stream whose server does not
	// answer must not use up the time of the others.
	streamTime = 4 * time.Second
	// unused is the time after which the server removes an abandoned consumer.
	unused = 10 * time.Second
)

// lanes removes the key's copies from the lanes, beginning with the cursor's.
func (p *page) lanes(ctx context.Context) (done bool, err error) {
	services, err := p.cfg.Lanes.List(ctx)
	if err != nil {
		return false, err
	}
	for _, service := range services {
		if p.at.past(service) {
			continue // done on an earlier page
		}
		if p.at.service != service {
			p.at = p.at.lane(service)
		}
		p.reply.Place = subjects.LaneStream(service)
		if done, err := p.try(ctx, p.reply.Place, func(ctx context.Context) (bool, error) { return p.lane(ctx, service) }); err != nil || !done {
			return false, err
		}
		p.at = p.at.lane(service)
		p.at.behind = true
		if p.looking.Err() != nil {
			return false, nil
		}
	}
	return true, nil
}

// electionPause is the time between two attempts at a stream that has no leader: an election
// takes about a second.
const electionPause = 100 * time.Millisecond

// try does the work on one stream. A stream that cannot be worked on is done, and is noted
// as left: the others must not keep the data because of it.
func (p *page) try(ctx context.Context, stream string, work func(context.Context) (done bool, err error)) (done bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	done, err = work(bounded)
	for (hubstream.Leaderless(err) || errors.Is(err, ingest.ErrSilent)) && retry.Sleep(bounded, electionPause) == nil {
		done, err = work(bounded)
	}
	_, many := errors.AsType[*retention.TooManyErasedError](err)
	switch {
	case err == nil:
		return done, nil
	case ctx.Err() != nil || many || errors.Is(err, lane.ErrStopped) || errors.Is(err, retention.ErrChanged):
		return false, fmt.Errorf("stream %s: %w", stream, err)
	}
	p.cfg.Logger.Warn("a stream cannot be erased from", "stream", stream, "err", err)
	p.left(contract.ErasedMessage{Stream: stream, Reason: fmt.Sprintf("%v; see to the stream, and run it again", err)})
	return true, nil
}

// lane removes the key's copies from one lane.
func (p *page) lane(ctx context.Context, service subjects.Name) (done bool, err error) {
	if !p.dry && p.at.seq == 0 {
		p.cfg.Failpoint("erase lane")
		if err := p.cfg.Fence(ctx, service); errors.Is(err, lane.ErrNoLane) || errors.Is(err, lane.ErrDropped) {
			return true, nil
		} else if errors.Is(err, lane.ErrNewer) {
			p.left(contract.ErasedMessage{Stream: subjects.LaneStream(service), Reason: "a newer replhub wrote the lane; upgrade the hubs and run it again"})
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	stream, err := p.cfg.Lanes.Stream(ctx, service)
	if errors.Is(err, lane.ErrNoLane) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// Read before the consumers: a copy is not delivered before it is stored.
	tip, err := lane.ReadTip(ctx, p.cfg.JS, service)
	switch {
	case errors.Is(err, lane.ErrNoLane):
		return true, nil
	case p.dry && (errors.Is(err, lane.ErrStateLost) || errors.Is(err, lane.ErrNewer)):
	case err != nil:
		return false, err
	}
	return p.search(ctx, &search{page: p, service: service, stream: stream, tip: tip})
}

// search is the work on one lane.
type search struct {
	*page

	service subjects.Name
	stream  jetstream.Stream
	tip     lane.Tip
	workers map[string]*jetstream.ConsumerInfo
}

// search goes over the copies of the entity and the state records, from behind the cursor.
func (p *page) search(ctx context.Context, s *search) (done bool, err error) {
	state := subjects.State(s.service)
	filters := []string{"sub." + s.service.String() + "." + p.about.entity.String() + ".*.*", state}
	// Only messages before the newest state record are removed. A dry run looks at all.
	last := s.tip.StateSeq
	if p.dry {
		if last, err = lastOf(ctx, s.stream, filters); err != nil {
			return false, err
		}
	}
	if last <= p.at.seq {
		return true, nil
	}
	if s.workers, err = lane.Workers(ctx, p.cfg.JS, s.service); err != nil {
		return false, err
	}
	c, err := s.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects: filters, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: p.at.seq + 1, InactiveThreshold: unused,
	})
	if err != nil {
		return false, fmt.Errorf("read %s: %w", subjects.LaneStream(s.service), err)
	}
	defer func() {
		// The server also removes it, a little later.
		_ = s.stream.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name)
	}()
	for first := true; first || p.looking.Err() == nil; first = false {
		came, err := c.Fetch(fetchAtOnce, jetstream.FetchMaxWait(fetchTime))
		if err != nil {
			return false, fmt.Errorf("read %s: %w", subjects.LaneStream(s.service), err)
		}
		for msg := range came.Messages() {
			if done, err := s.take(ctx, msg, last); done || err != nil {
				return done, err
			}
		}
		if err := came.Error(); err != nil {
			return false, fmt.Errorf("read %s: %w", subjects.LaneStream(s.service), err)
		}
	}
	return false, nil
}

// take looks at one message. done is true at the last.
func (s *search) take(ctx context.Context, msg jetstream.Msg, last uint64) (done bool, err error) {
	meta, err := msg.Metadata()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", subjects.LaneStream(s.service), err)
	}
	seq := meta.Sequence.Stream
	if seq > last {
		return true, nil
	}
	s.reply.Looked++
	m := contract.ErasedMessage{Stream: subjects.LaneStream(s.service), Seq: seq, Subject: msg.Subject()}
	if msg.Subject() == subjects.State(s.service) {
		err = s.takeRecord(ctx, msg, m)
	} else {
		err = s.takeCopy(ctx, msg, m)
	}
	if err != nil {
		return false, err
	}
	s.at.seq = seq
	return seq == last, nil
}

// takeCopy removes a copy of the key.
func (s *search) takeCopy(ctx context.Context, msg jetstream.Msg, m contract.ErasedMessage) error {
	if !s.about.has(msg.Headers(), msg.Data(), s.end()) {
		return nil
	}
	c, err := subjects.ParseCopy(m.Subject)
	if err != nil {
		return nil //nolint:nilerr // another client's message, which is no copy
	}
	m.Bare = bare(c.Op(), msg.Data())
	removed, err := s.remove(ctx, m)
	if err != nil || !removed {
		return err
	}
	s.reply.Copies++
	s.bare(m.Bare)
	if names := lane.Consumers(s.tip.State.Queue); c.Partition() < len(names) {
		if w := s.workers[names[c.Partition()]]; w != nil && mayHold(m.Seq, w.Delivered.Stream, w.AckFloor.Stream) {
			s.reply.InFlight++
		}
	}
	return nil
}

// takeRecord removes an old state record in which a snapshot stands at the key. The
// newest one stays: the snapshot continues behind the key.
func (s *search) takeRecord(ctx context.Context, msg jetstream.Msg, m contract.ErasedMessage) error {
	state, err := record.Decode(msg.Data())
	if err != nil || !record.IsRecord(msg.Headers()) || !s.about.standsAt(state) {
		return nil //nolint:nilerr // another client's message, or a newer hub's
	}
	if m.Seq >= s.tip.StateSeq {
		m.Reason = "a snapshot or backfill stands at this key; run it again when the rows have gone on"
		s.left(m)
		return nil
	}
	removed, err := s.remove(ctx, m)
	if removed {
		s.reply.Records++
	}
	return err
}

// remove removes a message; a dry run lists it.
func (s *search) remove(ctx context.Context, m contract.ErasedMessage) (removed bool, err error) {
	if s.dry {
		s.found(m)
		return true, nil
	}
	err = hubstream.Erase(ctx, s.stream, m.Seq)
	if errors.Is(err, hubstream.ErrKeepsMessages) {
		s.left(contract.ErasedMessage{Stream: m.Stream, Reason: err.Error() +
			": drop the service and register it again, or wait until the lane is trimmed (REPLHUB_HISTORY after the acknowledgement)"})
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("erase message %d of %s: %w", m.Seq, m.Stream, err)
	}
	return true, nil
}

// lastOf is the sequence of the last message on any of the subjects, by the stream's
// leader; 0 for none.
func lastOf(ctx context.Context, stream jetstream.Stream, filters []string) (uint64, error) {
	var last uint64
	for _, filter := range filters {
		m, err := stream.GetLastMsgForSubject(ctx, filter)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read the last message of %s: %w", filter, err)
		}
		last = max(last, m.Sequence)
	}
	return last, nil
}
