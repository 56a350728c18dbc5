package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/headers"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// store is the stream of dead letters.
type store struct {
	js     jetstream.JetStream
	stream *hubstream.Kept
}

func (c Config) dlqConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        contract.StreamDLQ,
		Description: "replhub: dead letters",
		Subjects:    []string{"dlq.>"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     -1,
		MaxBytes:    c.MaxBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    c.Replicas,
		Duplicates:  c.DedupeWindow,
	}
}

// Next reads a service's first letter at or behind a sequence of the stream
// DLQ, or returns ErrNoLetter.
func (s *store) Next(ctx context.Context, service subjects.Name, from uint64) (*Letter, error) {
	m, err := message(ctx, s.stream, max(from, 1), jetstream.WithGetMsgSubject(subjects.DeadLetterFilter(service)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w of %s", ErrNoLetter, service)
	}
	if err != nil {
		return nil, fmt.Errorf("read the dead letters of %s: %w", service, err)
	}
	_, l, err := letter(m)
	return l, err
}

// NextOf is Next for the letters of an entity, of any service.
func (s *store) NextOf(ctx context.Context, entity subjects.Name, from uint64) (subjects.Name, *Letter, error) {
	m, err := message(ctx, s.stream, max(from, 1), jetstream.WithGetMsgSubject("dlq.*."+entity.String()+".*"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return subjects.Name{}, nil, fmt.Errorf("%w of the entity %s", ErrNoLetter, entity)
	}
	if err != nil {
		return subjects.Name{}, nil, fmt.Errorf("read the dead letters of the entity %s: %w", entity, err)
	}
	return letter(m)
}

func letter(m *jetstream.RawStreamMsg) (subjects.Name, *Letter, error) {
	service, entity, op, err := subjects.ParseDeadLetter(m.Subject)
	if err != nil {
		return subjects.Name{}, nil, fmt.Errorf("read dead letter %d: %w", m.Sequence, err)
	}
	return service, &Letter{Seq: m.Sequence, Time: m.Time.UTC(), Entity: entity, Op: op, Header: m.Header, Data: m.Data}, nil
}

// Letter reads one letter of a service, or returns ErrNoLetter.
func (s *store) Letter(ctx context.Context, service subjects.Name, seq uint64) (*Letter, error) {
	l, err := s.Next(ctx, service, seq)
	if err == nil && l.Seq != seq {
		return nil, fmt.Errorf("%w of %s: %d", ErrNoLetter, service, seq)
	}
	return l, err
}

// Remove removes a letter. It succeeds if the letter is already gone.
func (s *store) Remove(ctx context.Context, l *Letter) error {
	m, err := message(ctx, s.stream, l.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) || (err == nil && !l.Time.IsZero() && !m.Time.Equal(l.Time)) {
		return nil
	}
	if err == nil {
		err = s.stream.Do(ctx, func(ctx context.Context, dlq jetstream.Stream) error { return dlq.DeleteMsg(ctx, l.Seq) })
	}
	if err == nil {
		return nil
	}
	// Somebody else may have been faster, for which the server has no code.
	if _, gone := message(ctx, s.stream, l.Seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("remove dead letter %d: %w", l.Seq, err)
}

// Erase is Remove for a letter whose content must go: the server overwrites it.
func (s *store) Erase(ctx context.Context, l *Letter) error {
	err := s.stream.Do(ctx, func(ctx context.Context, dlq jetstream.Stream) error { return hubstream.Erase(ctx, dlq, l.Seq) })
	if err != nil {
		return fmt.Errorf("erase dead letter %d: %w", l.Seq, err)
	}
	return nil
}

// Purge removes all letters of a service whose lane has its last record.
func (s *store) Purge(ctx context.Context, service subjects.Name) error {
	err := s.stream.Do(ctx, func(ctx context.Context, dlq jetstream.Stream) error {
		return dlq.Purge(ctx, jetstream.WithPurgeSubject(subjects.DeadLetterFilter(service)))
	})
	if err != nil {
		return fmt.Errorf("remove the dead letters of %s: %w", service, err)
	}
	return nil
}

// Count returns the number of a service's dead letters.
func (s *store) Count(ctx context.Context, service subjects.Name) (uint64, error) {
	n, err := count(ctx, s.stream, subjects.DeadLetterFilter(service))
	if err != nil {
		return 0, fmt.Errorf("count dead letters of %s: %w", service, err)
	}
	return n, nil
}

// Of returns the letters of one event, oldest first and without payloads: of a
// service's letters of an entity and op that were stored at a time or later, at
// most limit letters are looked at. complete is false if there are more.
func (s *store) Of(ctx context.Context, service, entity subjects.Name, op subjects.Op, pos event.Position, from time.Time, limit int) (found []*Letter, complete bool, err error) {
	stream, err := s.js.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return nil, false, fmt.Errorf("look up stream %q: %w", contract.StreamDLQ, err)
	}
	position := pos.String()
	complete, err = headers.Since(ctx, stream, subjects.DeadLetter(service, entity, op), from, limit, func(e headers.Entry) {
		h := e.Headers()
		if h.Get(contract.HeaderPosition) == position && h.Get(contract.HeaderRow) == "" {
			found = append(found, &Letter{Seq: e.Seq, Time: e.Time, Entity: entity, Op: op, Header: h})
		}
	})
	return found, complete, err
}

// ErrFull means that the stream of dead letters is full, for all services.
var ErrFull = errors.New("dead letters are full")

// append stores a letter under an id and returns its sequence; added is false if the
// letter was already stored. If the letter of an id was removed since, the new letter
// is stored nevertheless.
func (s *store) append(ctx context.Context, m *nats.Msg, id string) (seq uint64, added bool, err error) {
	for {
		m.Header.Set(contract.HeaderMsgID, id)
		ack, err := s.publish(ctx, m)
		if hubstream.Full(err) {
			return 0, false, fmt.Errorf("%w (stream %s): redrive or remove some: %w", ErrFull, contract.StreamDLQ, err)
		}
		if err != nil {
			return 0, false, fmt.Errorf("store a dead letter: %w", hubstream.Diagnose(ctx, s.js, contract.StreamDLQ, err))
		}
		if !ack.Duplicate {
			return ack.Sequence, true, nil
		}
		found, err := message(ctx, s.stream, ack.Sequence)
		// Ids are the stream's, and every service may store letters of its own: one may
		// have taken the id of another's letter.
		if err == nil && found.Subject == m.Subject {
			return ack.Sequence, false, nil
		}
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, false, fmt.Errorf("look for dead letter %d: %w", ack.Sequence, err)
		}
		id += "/" + strconv.FormatUint(ack.Sequence, 10)
	}
}

func (s *store) publish(ctx context.Context, m *nats.Msg) (ack *jetstream.PubAck, err error) {
	err = s.stream.Do(ctx, func(ctx context.Context, _ jetstream.Stream) error {
		ack, err = s.js.PublishMsg(ctx, m)
		return err
	})
	return ack, err
}

// message reads one message of a stream.
func message(ctx context.Context, stream *hubstream.Kept, seq uint64, opts ...jetstream.GetMsgOpt) (m *jetstream.RawStreamMsg, err error) {
	err = stream.Do(ctx, func(ctx context.Context, s jetstream.Stream) error {
		m, err = s.GetMsg(ctx, seq, opts...)
		return err
	})
	return m, err
}

// count counts the messages of a stream under a filter.
func count(ctx context.Context, stream *hubstream.Kept, filter string) (n uint64, err error) {
	err = stream.Do(ctx, func(ctx context.Context, of jetstream.Stream) error {
		info, err := of.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return fmt.Errorf("look up stream %q: %w", stream.Name(), err)
		}
		n = 0
		for _, count := range info.State.Subjects {
			n += count
		}
		return nil
	})
	return n, err
}
