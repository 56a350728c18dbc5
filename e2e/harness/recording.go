package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/judge"
	"github.com/replhub/replhub/internal/contract"
)

// Stored is one message of a stream.
type Stored struct {
	Seq     uint64
	Time    time.Time
	Subject string
	Header  nats.Header
	Data    []byte
}

// Recording is what a stream held, also where it holds it no more. Methods may
// be called concurrently.
type Recording struct {
	js     jetstream.JetStream
	stream string
	// mirror is the stream to read instead of a trimmed one, once it has as much.
	mirror string
	// given is what workers were given, for what was trimmed since; nil for a
	// stream that no workers have.
	given *given

	mu       sync.Mutex // guards what follows
	messages []Stored
	next     uint64
}

// fewMessages are read one by one; more than that through a consumer.
const fewMessages = 50

// CatchUp reads on to the stream's end. It is an error when messages were
// removed before they were read.
func (r *Recording) CatchUp(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.js.Stream(ctx, r.stream)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", r.stream, err)
	}
	state := s.CachedInfo().State
	if r.mirror != "" {
		if s, err = r.copied(ctx, state.LastSeq); err != nil {
			return err
		}
	}
	if state.LastSeq+1 < r.next {
		return fmt.Errorf("stream %s ends at %d and was read up to %d", r.stream, state.LastSeq, r.next-1)
	}
	if state.LastSeq-r.next+1 > fewMessages && r.next <= state.LastSeq {
		if err := r.consume(ctx, s, state.LastSeq); err != nil {
			return err
		}
	}
	for r.next <= state.LastSeq {
		if err := r.readOne(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// copied is the copy of the stream once it goes as far as a sequence.
func (r *Recording) copied(ctx context.Context, last uint64) (jetstream.Stream, error) {
	for {
		s, err := r.js.Stream(ctx, r.mirror)
		if err != nil {
			return nil, fmt.Errorf("look up the copy of %s: %w", r.stream, err)
		}
		if s.CachedInfo().State.LastSeq >= last {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the copy of %s is at %d of %d: %w", r.stream, s.CachedInfo().State.LastSeq, last, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// consume reads through a consumer as far as that goes. The client takes some
// messages for control messages and swallows them; those are read one by one.
func (r *Recording) consume(ctx context.Context, s jetstream.Stream, last uint64) error {
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.next, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	defer messages.Stop()
	for r.next <= last {
		m, err := messages.Next(jetstream.NextMaxWait(2 * time.Second))
		if err != nil {
			break // the rest is read one by one
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", r.stream, err)
		}
		for r.next < meta.Sequence.Stream {
			if err := r.readOne(ctx, s); err != nil {
				return err
			}
		}
		if meta.Sequence.Stream == r.next {
			r.add(Stored{Seq: r.next, Time: meta.Timestamp.UTC(), Subject: m.Subject(), Header: m.Headers(), Data: m.Data()})
		}
	}
	return s.DeleteConsumer(ctx, c.CachedInfo().Name)
}

func (r *Recording) readOne(ctx context.Context, s jetstream.Stream) error {
	m, err := s.GetMsg(ctx, r.next)
	if errors.Is(err, jetstream.ErrMsgNotFound) && r.given != nil {
		// Trimmed already. Had it been a copy that nobody handled, the judge
		// would miss it.
		if m, was := r.given.get(r.next); was {
			r.add(m)
		} else {
			r.next++
		}
		return nil
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("stream %s: %d was removed before it was recorded", r.stream, r.next)
	}
	if err != nil {
		return fmt.Errorf("read stream %s at %d: %w", r.stream, r.next, err)
	}
	r.add(Stored{Seq: m.Sequence, Time: m.Time.UTC(), Subject: m.Subject, Header: m.Header, Data: m.Data})
	return nil
}

func (r *Recording) add(m Stored) {
	r.messages = append(r.messages, m)
	r.next = m.Seq + 1
}

// SkipTo leaves out what was removed on purpose: the next message read is seq.
func (r *Recording) SkipTo(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = seq
}

// Messages are those read so far; read-only.
func (r *Recording) Messages() []Stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clip(r.messages)
}

// Recording returns the recording of a stream from its first message on.
func (w *World) Recording(stream string) *Recording {
	if r := w.streams[stream]; r != nil {
		return r
	}
	r := &Recording{js: w.JS, stream: stream, next: 1}
	if strings.HasPrefix(stream, "SUB_") {
		r.given = w.givenIn(stream)
	}
	w.streams[stream] = r
	return r
}

// Read is all of a stream up to now.
func (w *World) Read(stream string) []Stored {
	w.tb.Helper()
	r := w.Recording(stream)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := r.CatchUp(ctx); err != nil {
		w.tb.Fatal(err)
	}
	return r.Messages()
}

// mirror has the server itself copy a stream: it does so at once, however busy
// the test is.
func (w *World) mirror(stream string) (name string) {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	name = "COPY_" + stream
	_, err := w.JS.CreateStream(ctx, jetstream.StreamConfig{Name: name, Mirror: &jetstream.StreamSource{Name: stream}})
	if err != nil {
		w.tb.Fatalf("mirror stream %s: %v", stream, err)
	}
	return name
}

// Record keeps recordings of streams up to date until the returned function is
// called, so that nothing is trimmed unseen. Ingest is recorded from a mirror;
// of a lane, what workers were given is known as well.
func (w *World) Record(streams ...string) (stop func()) {
	w.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, name := range streams {
		r := w.Recording(name)
		if name == contract.StreamIngest {
			r.mirror = w.mirror(name)
		}
		wg.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				if err := r.CatchUp(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
					w.tb.Errorf("record: %v", err)
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// lastSeq is a stream's last sequence.
func (w *World) lastSeq(stream string) uint64 {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	s, err := w.JS.Stream(ctx, stream)
	if err != nil {
		w.tb.Fatalf("look up stream %s: %v", stream, err)
	}
	return s.CachedInfo().State.LastSeq
}

// Renew restarts a recording, because the stream is another one.
func (w *World) Renew(stream string) { delete(w.streams, stream) }

// LastSeq is ingest's last sequence, or that of a service's lane.
func (w *World) LastSeq(service string) uint64 {
	w.tb.Helper()
	if service == "" {
		return w.lastSeq("DB")
	}
	return w.lastSeq("SUB_" + service)
}

// Events is ingest up to now, all of it in one epoch.
func (w *World) Events(epoch uint64) []judge.Event {
	w.tb.Helper()
	return eventsOf(w.Read("DB"), epoch)
}

func eventsOf(stored []Stored, epoch uint64) []judge.Event {
	events := make([]judge.Event, 0, len(stored))
	for _, m := range stored {
		events = append(events, judge.Event{
			Position: judge.Position{Epoch: epoch, Seq: m.Seq}, Time: m.Time, Subject: m.Subject, Header: m.Header, Data: m.Data,
		})
	}
	return events
}

// Lane is a lane up to now.
func (w *World) Lane(service string) []judge.Message {
	w.tb.Helper()
	var own []Stored
	for _, m := range w.Read("SUB_" + service) {
		if !w.foreign[foreignID(service, m.Seq)] {
			own = append(own, m)
		}
	}
	return messagesOf(own)
}

// Foreign says that the test itself has put a message into a lane.
func (w *World) Foreign(service string, seq uint64) { w.foreign[foreignID(service, seq)] = true }

func foreignID(service string, seq uint64) string { return fmt.Sprintf("%s/%d", service, seq) }

func messagesOf(stored []Stored) []judge.Message {
	messages := make([]judge.Message, 0, len(stored))
	for _, m := range stored {
		messages = append(messages, judge.Message{LaneSeq: m.Seq, Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	return messages
}

// Position is the ingest sequence of a lane's last copy; 0 when it has none.
func (w *World) Position(service string) uint64 {
	w.tb.Helper()
	p, err := w.lastCopy(service, "*")
	if err != nil {
		w.tb.Fatal(err)
	}
	return p.Seq
}

// lastCopy is the event of an entity's last copy in a lane; zero when there is
// none.
func (w *World) lastCopy(service, entity string) (judge.Position, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	s, err := w.JS.Stream(ctx, "SUB_"+service)
	if err != nil {
		return judge.Position{}, fmt.Errorf("look up the lane of %s: %w", service, err)
	}
	m, err := s.GetLastMsgForSubject(ctx, "sub."+service+"."+entity+".*.*")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return judge.Position{}, nil
	}
	if err != nil {
		return judge.Position{}, fmt.Errorf("read the lane of %s: %w", service, err)
	}
	var p judge.Position
	if _, err := fmt.Sscanf(m.Header.Get("Replhub-Position"), "%d-%d", &p.Epoch, &p.Seq); err != nil {
		return judge.Position{}, fmt.Errorf("position of the last copy for %s: %w", service, err)
	}
	return p, nil
}
