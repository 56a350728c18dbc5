package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/jsapi"
)

const (
	// A reader asks for at most this many events ahead, and within a number of
	// bytes at a time (see Ahead): enough to hide the round trip, little enough to
	// bound memory with large events.
	pullMessages = 2000
	// messageOverhead is about the memory of a message in the client beyond the bytes
	// that the server counts. wordsOverhead is the part of the server's count beyond
	// the publisher's bytes: subjects.
	messageOverhead = 600
	wordsOverhead   = 64 << 10
	// pullExpires is how long the server keeps a request for events that have not
	// come yet.
	pullExpires = 30 * time.Second
	// heartbeat is the time between signs of life of a consumer without events, and
	// silence the longest time without one.
	heartbeat = time.Second
	silence   = 2500 * time.Millisecond
	// The server forgets a reader's consumer after this long without a request.
	inactiveThreshold = 30 * time.Second
)

// errGap means that the consumer skipped a sequence. The server does so silently when
// it moves a start to the first sequence that it holds.
var errGap = errors.New("ingest events are not contiguous")

// ErrSilent means that the consumer, or the connection to it, is gone; for example a
// restarted server has forgotten the consumer, or ingest has no leader for a moment.
var ErrSilent = errors.New("the reader of ingest fell silent")

// reader reads ingest from a mark on through a consumer of its own.
//
// It requests events itself instead of using the client's iterator, which takes a
// stored event with a Status header and no body for a status message and drops it.
// Here a message is an event exactly if it has a reply subject for its
// acknowledgement.
type reader struct {
	g    *Ingest
	name string // the consumer's
	next string // the subject of its requests
	sub  *nats.Subscription
	msgs chan *nats.Msg
	// at is the last event returned.
	at Mark
	// ready are events to be returned before others: what stands for erased events, and
	// the event behind them.
	ready []*event.Event
	// all returns the events that ingest holds, erased ones too, and knows no gaps.
	all bool
	// asked is how many requested events have not come yet.
	asked int
	// pull is the size of one request in bytes.
	pull int64
	// heard is when the last message came. reconnects is how often the connection had
	// been lost when the reader began: requests under way at a later loss are gone.
	heard      time.Time
	reconnects uint64
	look       *time.Ticker
	// idle is called before the reader waits.
	idle func()
}

// newReader makes a consumer that starts after a mark that Resume returned.
func (g *Ingest) newReader(ctx context.Context, at Mark, pullBytes int64) (*reader, error) {
	cons, err := g.cfg.JS.CreateConsumer(ctx, contract.StreamIngest, jetstream.ConsumerConfig{
		Description:       "replhub: reads ingest",
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       at.Seq + 1,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: inactiveThreshold,
	})
	if err != nil {
		return nil, fmt.Errorf("create a reader of ingest at %d: %w", at.Seq+1, err)
	}
	nc := g.cfg.JS.Conn()
	r := &reader{
		g: g, at: at, pull: pullBytes, name: cons.CachedInfo().Name,
		// The channel is never full: status messages come once a heartbeat, and the
		// reader reads often.
		msgs:       make(chan *nats.Msg, pullMessages+100),
		heard:      time.Now(),
		idle:       func() {},
		reconnects: nc.Stats().Reconnects,
	}
	r.next = jsapi.Prefix(g.cfg.JS.Options()) + "CONSUMER.MSG.NEXT." + contract.StreamIngest + "." + r.name
	if r.sub, err = nc.ChanSubscribe(nc.NewInbox(), r.msgs); err != nil {
		return nil, fmt.Errorf("read ingest at %d: %w", at.Seq+1, err)
	}
	r.look = time.NewTicker(heartbeat)
	if err := g.prove(ctx, at); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// prove checks that a reader which was opened behind a mark reads the stream that
// Resume found: in between ingest may have been created again or rolled back, and may
// have other events under the following sequences.
func (g *Ingest) prove(ctx context.Context, at Mark) error {
	return g.perform(ctx, g.ledger.Load().Prove(at, func(is bool) retention.Step {
		if !is {
			return retention.Done{Err: fmt.Errorf("%w: ingest changed since %s was checked", errGap, at.Position)}
		}
		return retention.Done{}
	}), nil)
}

// read returns the next event, waiting for it until ctx ends.
func (r *reader) read(ctx context.Context) (*event.Event, error) {
	for {
		if e := r.passOver(); e != nil {
			return e, nil
		}
		if err := r.ask(); err != nil {
			return nil, err
		}
		if len(r.msgs) == 0 {
			r.idle()
		}
		select {
		case m := <-r.msgs:
			e, err := r.taken(ctx, m)
			if e != nil || err != nil {
				return e, err
			}
		case <-r.look.C:
			if err := r.alive(); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("read ingest after %s: %w", r.at.Position, ctx.Err())
		}
	}
}

// ask asks for more events when half of those asked for have come.
func (r *reader) ask() error {
	if r.asked > pullMessages/2 {
		return nil
	}
	nc := r.g.cfg.JS.Conn()
	want := pullMessages - r.asked
	request, err := json.Marshal(pullRequest{
		Batch: want, MaxBytes: pullSize(r.pull, nc.MaxPayload()), Expires: pullExpires, Heartbeat: heartbeat,
	})
	if err != nil {
		return err
	}
	if err := nc.PublishRequest(r.next, r.sub.Subject, request); err != nil {
		return fmt.Errorf("read ingest after %s: %w", r.at.Position, err)
	}
	r.asked += want
	return nil
}

// pullSize is the size of a request in bytes: at least that of the largest possible
// event.
func pullSize(bytes, maxPayload int64) int64 { return max(bytes, maxPayload+wordsOverhead) }

// Ahead is how many requested and unread bytes a reader may hold when its requests
// are for pullBytes each: it makes a second request before the first is complete.
func Ahead(pullBytes, maxPayload int64) int64 {
	return 2*pullSize(pullBytes, maxPayload) + pullMessages*messageOverhead
}

// pullRequest is the server's form of a request.
type pullRequest struct {
	Batch     int           `json:"batch"`
	MaxBytes  int64         `json:"max_bytes"`
	Expires   time.Duration `json:"expires"`
	Heartbeat time.Duration `json:"idle_heartbeat"`
}

// passOver returns the next event without one of the server's messages: what stands for
// an erased event, or the event behind such. nil means that the server is to be heard.
// Erased events at the end of ingest have no event behind them.
func (r *reader) passOver() *event.Event {
	if len(r.ready) > 0 {
		e := r.ready[0]
		r.ready = r.ready[1:]
		r.at = MarkOf(e)
		return e
	}
	if r.all || len(r.msgs) > 0 {
		return nil
	}
	m, erased := r.g.ledger.Load().ErasedAt(r.at.Seq + 1)
	if !erased {
		return nil
	}
	r.at = m
	return passedOver(m)
}

// askTime bounds the questions to the server that a message may need.
const askTime = 2 * time.Second

// taken is take with time of its own for questions to the server: the caller's wait may
// end at any moment, and the message is no longer in the channel. A message that could not
// be judged is a gap, so that the reader is opened again.
func (r *reader) taken(ctx context.Context, m *nats.Msg) (*event.Event, error) {
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	e, err := r.take(ask, m)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %s", errGap, err.Error())
	}
	return e, err
}

// take makes an event of a message; nil for a status message of the server, and where
// passOver has it.
func (r *reader) take(ctx context.Context, m *nats.Msg) (*event.Event, error) {
	r.heard = time.Now()
	if m.Reply == "" {
		return nil, r.heed(m)
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read ingest after %s: %w", r.at.Position, err)
	}
	r.asked--
	seq := meta.Sequence.Stream
	erased, is := r.g.ledger.Load().ErasedAt(seq)
	if is && !erased.Time.Equal(meta.Timestamp) {
		if is = false; !r.all {
			if err := r.another(ctx, erased); err != nil {
				return nil, err
			}
		}
	}
	e := passedOver(erased)
	if r.all || !is {
		e = r.g.decode(seq, meta.Timestamp, m.Subject, m.Header, m.Data)
	}
	switch {
	case is && seq <= r.at.Seq:
		return nil, nil // passed over before it was deleted
	case r.all && seq > r.at.Seq:
	case seq != r.at.Seq+1:
		return nil, r.bridge(ctx, e)
	}
	r.at = MarkOf(e)
	return e, nil
}

// another handles an event at the mark of an erased one that is not the erased one: ingest
// has lost that, and has used its sequence again. So an epoch begins, as for a reader that
// stands at the mark. No error means that the event is to be read.
func (r *reader) another(ctx context.Context, erased Mark) error {
	if _, err := r.g.Resume(ctx, erased); err != nil {
		return fmt.Errorf("the sequence of the erased event %s was used again: %w", erased.Position, err)
	}
	if erased.Seq > r.at.Seq && r.g.PositionOf(erased.Seq) == erased.Position {
		// The clock of ingest's server was set back, so the epoch begins behind the event.
		return nil
	}
	return fmt.Errorf("%w: the sequence of the erased event %s was used again", errGap, erased.Position)
}

// bridge makes erased events, and the one behind them, ready to be returned. Any other
// gap is an error.
func (r *reader) bridge(ctx context.Context, e *event.Event) error {
	gap := &GapError{After: r.at, Got: e.Pos.Seq}
	if e.Pos.Seq <= r.at.Seq {
		return gap
	}
	between, ok, err := r.g.explain(ctx, r.at, MarkOf(e))
	if err != nil {
		return err
	}
	if !ok {
		return gap
	}
	for _, m := range between {
		r.ready = append(r.ready, passedOver(m))
	}
	r.ready = append(r.ready, e)
	return nil
}

// The server's status messages, by the Status header, and the texts of a 409 that
// only ends a request.
const (
	statusHeartbeat = "100"
	statusExpired   = "408"
	statusEnded     = "409"
	endedByBytes    = "Message Size Exceeds MaxBytes"
	endedByBatch    = "Batch Completed"
)

// heed handles a status message: after a request that ended incomplete the reader
// requests the rest again; any other status ends the reader.
func (r *reader) heed(m *nats.Msg) error {
	status, says := m.Header.Get("Status"), m.Header.Get("Description")
	switch {
	case status == statusHeartbeat:
		return nil
	case status == statusExpired, status == statusEnded && (says == endedByBytes || says == endedByBatch):
		if left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages")); err == nil {
			r.asked = max(r.asked-left, 0)
			return nil
		}
	}
	return fmt.Errorf("%w: the server says %s %s", ErrSilent, status, says)
}

// alive returns an error when the reader has reason to believe that no more messages
// will come.
func (r *reader) alive() error {
	switch {
	case len(r.msgs) > 0:
		return nil
	case r.g.cfg.JS.Conn().Stats().Reconnects != r.reconnects:
		return fmt.Errorf("%w: the connection was lost", ErrSilent)
	case time.Since(r.heard) > silence:
		return fmt.Errorf("%w: nothing for %s, not even a heartbeat", ErrSilent, time.Since(r.heard).Round(time.Millisecond))
	}
	return nil
}

// close ends the reader and tries to delete its consumer; the server removes an idle
// consumer by itself.
func (r *reader) close() {
	r.look.Stop()
	if err := r.sub.Unsubscribe(); err != nil {
		r.g.cfg.Logger.Debug("end a reader of ingest", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.g.cfg.JS.DeleteConsumer(ctx, contract.StreamIngest, r.name); err != nil {
		r.g.cfg.Logger.Debug("remove a reader of ingest", "err", err)
	}
}
