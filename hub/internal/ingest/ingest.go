// Package ingest keeps and reads the stream that stores every event. A reader gets each
// event once, in sequence, without gaps and with its epoch, or gets an error; it never
// skips an event silently. It is not promised that events below the trim floor stay in
// the stream.
package ingest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Config is what an Ingest needs. Only JS has no default.
type Config struct {
	JS jetstream.JetStream
	// Replicas of the stream; 1 by default.
	Replicas int
	// MaxBytes bounds the stream, which then refuses publishers; 4 GiB by default.
	MaxBytes int64
	// DedupeWindow is how long a retry under the same id is recognised; 10
	// minutes by default.
	DedupeWindow time.Duration
	// Fast says that all servers have fast ingest. Older ones refuse a stream's
	// configuration that names it.
	Fast bool
	// WindowBytes bounds the events that the shared tail keeps in memory, including
	// headers and the program's overhead; 48 MiB by default, about 40,000 small
	// events. One event may be larger than that.
	WindowBytes int
	// TailPullBytes is how much the tail requests at a time; 2 MiB by default. The
	// tail may hold about twice as much beside its window (Ahead).
	TailPullBytes int64
	// Now is this host's clock; time.Now by default. Only its progress matters: the
	// time of day is the server's.
	Now func() time.Time
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
	// Report is called with the loss of a stream that somebody deleted; nil logs it.
	Report func(stream, text string)
	// Failpoint is called at named steps, where tests kill the process. Nil has no
	// effect.
	Failpoint func(step string)
}

func (c Config) withDefaults() Config {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxBytes = cmp.Or(c.MaxBytes, 4<<30)
	c.DedupeWindow = cmp.Or(c.DedupeWindow, 10*time.Minute)
	c.WindowBytes = cmp.Or(c.WindowBytes, 48<<20)
	c.TailPullBytes = cmp.Or(c.TailPullBytes, 2<<20)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Failpoint == nil {
		c.Failpoint = func(string) {}
	}
	return c
}

// Ingest is the stream and its ledger. Its methods may be called concurrently.
type Ingest struct {
	cfg Config
	// events is the stream of events, record the stream of the ledger.
	events, record *hubstream.Kept
	ledger         atomic.Pointer[retention.Ledger]
	rates          rate
	clock          clock

	mu sync.Mutex // guards windows, and orders changes of ledger
	// windows are the windows of the tails.
	windows []*window
}

// Open creates or takes over the stream and its ledger, and opens a new epoch
// when the stream is not the one that the ledger knows.
func Open(ctx context.Context, cfg Config) (*Ingest, error) {
	g := &Ingest{cfg: cfg.withDefaults()}
	g.clock.local = g.cfg.Now
	g.events = g.keep(g.streamConfig(), "the events that it held are lost, and those that lanes had not taken are never copied; a new epoch begins", nil)
	g.record = g.keep(g.ledgerConfig(), "the epochs, the trim floor and the pins are as this hub last knew them", g.restoreLedger)
	if err := g.record.Open(ctx); err != nil {
		return nil, err
	}
	if err := g.events.Open(ctx); err != nil {
		return nil, err
	}
	if err := g.identify(ctx, 0); err != nil {
		return nil, err
	}
	if _, err := g.Installation(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Ingest) keep(sc jetstream.StreamConfig, loss string, restore func(context.Context) error) *hubstream.Kept {
	return hubstream.NewKept(hubstream.KeptConfig{
		JS: g.cfg.JS, Stream: sc, Loss: loss, Restore: restore, Report: g.cfg.Report, Logger: g.cfg.Logger,
	})
}

// Kept returns the streams that somebody may delete by hand, so that the hub looks at
// them periodically.
func (g *Ingest) Kept() []*hubstream.Kept { return []*hubstream.Kept{g.events, g.record} }

func (g *Ingest) streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        contract.StreamIngest,
		Description: "replhub: every event",
		Subjects:    subjects.IngestSubjects(),
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew, // a full stream refuses publishers and loses nothing
		MaxMsgs:     -1,
		MaxBytes:    g.cfg.MaxBytes,
		Storage:     jetstream.FileStorage,
		Replicas:    g.cfg.Replicas,
		Duplicates:  g.cfg.DedupeWindow,
		// No DenyDelete, which could never be lifted: events can be erased. Readers insist
		// on contiguous sequences but for events that the ledger has as erased.
		// For replhub.Client.PublishAll.
		AllowBatchPublish: g.cfg.Fast,
		// For captures, on a stream with replicas.
		AllowAtomicPublish: true,
	}
}

// stream looks the stream up at its leader, and creates it again when somebody
// deleted it: without it publishers find no stream.
func (g *Ingest) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := g.events.Look(ctx)
	if err != nil {
		return nil, err
	}
	g.clock.hear(s.CachedInfo().TimeStamp)
	return s, nil
}

// Bounds asks the stream's leader for the stream's bounds.
func (g *Ingest) Bounds(ctx context.Context) (Bounds, error) {
	s, err := g.stream(ctx)
	if err != nil {
		return Bounds{}, err
	}
	return boundsOf(s.CachedInfo()), nil
}

func boundsOf(info *jetstream.StreamInfo) Bounds {
	b := Bounds{
		First:     info.State.FirstSeq,
		Last:      info.State.LastSeq,
		FirstTime: info.State.FirstTime.UTC(),
		LastTime:  info.State.LastTime.UTC(),
		Messages:  info.State.Msgs,
		Bytes:     info.State.Bytes,
		Created:   info.Created.UTC(),
	}
	// A stream that never held anything reports first 0.
	b.First = max(b.First, 1)
	if b.Messages == 0 {
		b.First = b.Last + 1
		b.FirstTime, b.LastTime = time.Time{}, time.Time{}
	}
	return b
}

// Event reads one event; jetstream.ErrMsgNotFound when ingest does not hold it, or it was
// erased.
func (g *Ingest) Event(ctx context.Context, seq uint64) (*event.Event, error) {
	msg, err := g.message(ctx, seq)
	if err != nil {
		return nil, err
	}
	if g.ledger.Load().HasErased(seq, msg.Time) {
		return nil, jetstream.ErrMsgNotFound
	}
	return g.decode(seq, msg.Time.UTC(), msg.Subject, msg.Header, msg.Data), nil
}

func (g *Ingest) message(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	s, err := g.stream(ctx)
	if err != nil {
		return nil, err
	}
	msg, err := s.GetMsg(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("read ingest at %d: %w", seq, err)
	}
	return msg, nil
}
