package kvmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/mirror"
)

const (
	// heartbeat is how often the server says that it has nothing; two missed
	// end a watch.
	heartbeat = time.Second
	// settle bounds the wait, at a complete reading, for a replica that lags
	// behind what the leader said. The last message may also have been
	// removed since, and never come.
	settle = 2 * time.Second
	// cleanup bounds the removal of a consumer that is not needed any more;
	// the server removes it by itself after idle.
	cleanup = time.Second
	idle    = 30 * time.Second
	// maxPending is how many messages a watch asks for at once.
	maxPending = 500
)

var (
	errGap          = errors.New("messages missing in the watch")
	errDisconnected = errors.New("disconnected")
	errRenew        = errors.New("time for a complete reading")
)

// watch reads the whole bucket and follows it with one consumer, until the
// next complete reading is due (nil), or anything casts doubt on it: a gap, a
// missed heartbeat, a lost connection, a consumer that is gone. It is never
// resumed: where it stood means nothing in a bucket that was created again.
func (m *Map) watch(ctx context.Context, loaded func()) error {
	nc := m.js.Conn()
	if err := connected(ctx, nc); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer end(nil)
	running.Go(func() { watchConnection(ctx, nc, end) })

	w, err := m.openWatch(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	err = w.follow(ctx, func() {
		loaded()
		m.state.Up()
	})
	if errors.Is(err, errRenew) {
		return nil
	}
	return err
}

// watchConnection ends the watch when the connection is lost.
func watchConnection(ctx context.Context, nc *nats.Conn, end context.CancelCauseFunc) {
	changes := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer nc.RemoveStatusListener(changes)
	if nc.Status() != nats.CONNECTED {
		end(errDisconnected)
		return
	}
	select {
	case <-changes:
		end(errDisconnected)
	case <-ctx.Done():
	}
}

// watch is one consumer and what it has brought.
type watch struct {
	m        *Map
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	renew    time.Time // when to read again
	settled  time.Time // until when to wait for leader's
	leader   uint64    // last sequence that the leader had at the start

	before  map[string]tree.Entry // the copy that this watch found
	entries map[string]tree.Entry
	garbage mirror.Findings
	pending uint64 // messages that are still to come, as far as known
	count   uint64 // consumer sequence of the last message
	seen    uint64 // stream sequence of the last message
	whole   bool   // the first reading is complete
	changed bool   // since the last snapshot
	pace    mirror.Pace
}

func (m *Map) openWatch(ctx context.Context) (*watch, error) {
	stream, err := m.bucket(ctx)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read bucket %q: %w", m.cfg.Bucket, err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		FilterSubject:     m.cfg.prefix() + ">",
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: idle,
	})
	if err != nil {
		return nil, fmt.Errorf("watch bucket %q: %w", m.cfg.Bucket, err)
	}
	messages, err := consumer.Messages(
		jetstream.PullMaxMessages(maxPending),
		jetstream.PullHeartbeat(heartbeat), jetstream.PullExpiry(10*heartbeat),
	)
	if err != nil {
		return nil, fmt.Errorf("watch bucket %q: %w", m.cfg.Bucket, err)
	}
	w := &watch{
		m: m, consumer: consumer, messages: messages,
		renew: time.Now().Add(m.cfg.Resync), settled: time.Now().Add(settle),
		leader: info.State.LastSeq, pending: consumer.CachedInfo().NumPending,
		entries: map[string]tree.Entry{},
	}
	if s := m.state.Snapshot(); s != nil {
		w.before = s.Entries
	}
	return w, nil
}

func (w *watch) close() {
	w.messages.Stop()
	if w.m.js.Conn().Status() != nats.CONNECTED {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	_ = w.m.js.DeleteConsumer(ctx, w.m.cfg.streamName(), w.consumer.CachedInfo().Name)
}

// follow applies messages until the watch ends, with the reason.
func (w *watch) follow(ctx context.Context, loaded func()) error {
	for {
		if w.complete() {
			if !w.whole {
				w.whole = true
				w.publish()
				loaded()
			} else if w.shows() && w.pace.Due() {
				w.publish()
			}
		}
		msg, err := w.next(ctx)
		if err != nil {
			return err
		}
		if msg == nil {
			continue
		}
		if err := w.apply(msg); err != nil {
			return err
		}
	}
}

// complete reports whether the first reading is: all that was pending is here,
// and a consumer on a replica has caught up with the leader.
func (w *watch) complete() bool {
	return w.whole || w.pending == 0 && (w.seen >= w.leader || time.Now().After(w.settled))
}

// shows reports whether there is something new to publish.
func (w *watch) shows() bool { return w.whole && w.changed && w.pending == 0 }

// next waits for a message; nil when it is time to look again.
func (w *watch) next(ctx context.Context) (jetstream.Msg, error) {
	until := w.renew
	if soon := time.Now().Add(settle); !w.whole && soon.Before(until) {
		until = soon
	}
	if due := w.pace.Next(); w.shows() && due.Before(until) {
		until = due
	}
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	msg, err := w.messages.Next(jetstream.NextContext(wait))
	switch {
	case err == nil:
		return msg, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case wait.Err() == nil:
		return nil, fmt.Errorf("watch bucket %q: %w", w.m.cfg.Bucket, err)
	case w.shows() && w.pace.Due():
		return nil, nil
	case time.Now().Before(w.renew):
		return nil, w.ask(ctx)
	case w.whole:
		return nil, errRenew
	}
	return nil, fmt.Errorf("read bucket %q: not complete within %v", w.m.cfg.Bucket, w.m.cfg.Resync)
}

// ask asks what is pending: a message that was, but has been replaced or has
// expired since, does not come.
func (w *watch) ask(ctx context.Context) error {
	info, err := w.consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("watch bucket %q: %w", w.m.cfg.Bucket, err)
	}
	if info.Delivered.Consumer == w.count {
		w.pending = info.NumPending
	}
	return nil
}

// apply takes one message into the copy.
func (w *watch) apply(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("watch bucket %q: %w", w.m.cfg.Bucket, err)
	}
	if meta.Sequence.Consumer != w.count+1 {
		return errGap
	}
	w.count, w.seen, w.pending, w.changed = meta.Sequence.Consumer, meta.Sequence.Stream, meta.NumPending, true
	path, ok := w.m.path(msg.Subject())
	switch {
	case removed(msg.Headers()):
		delete(w.entries, path)
		w.garbage.Drop(path)
	case !ok || !w.m.layout.Kind(path).IsRecord():
		w.garbage.Add(path, "not a record")
	case !w.m.layout.Holds(len(msg.Data())):
		delete(w.entries, path)
		w.garbage.Add(path, fmt.Sprintf("value of %d bytes, at most %d", len(msg.Data()), w.m.cfg.MaxValue))
	default:
		w.garbage.Drop(path)
		w.entries[path] = w.entry(path, msg, tree.Version(meta.Sequence.Stream))
	}
	return nil
}

// entry is a record's, and a member's that was put again the one known before.
func (w *watch) entry(path string, msg jetstream.Msg, version tree.Version) tree.Entry {
	if msg.Headers().Get(headerMember) != "" {
		known, ok := w.entries[path]
		if !ok {
			known, ok = w.before[path]
		}
		if ok && known.Version < version && bytes.Equal(known.Value, msg.Data()) {
			return known
		}
	}
	return tree.Entry{Value: msg.Data(), Version: version}
}

func (w *watch) publish() {
	w.changed = false
	w.pace.Step(func() {
		w.m.alarms.Set("tree", w.garbage)
		w.m.state.Publish(maps.Clone(w.entries))
	})
}
