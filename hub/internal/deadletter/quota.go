package deadletter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The dead letters of all services share one stream. Each service has a quota of it.
// So a service whose filter fails on every event stalls alone; without the quota
// every other service would stall at its next poison event.
//
// A writer of a letter asks the service's tally first: the hub's lane, the capture of
// advisories, and the service's own instances by a control request. A tally counts
// the letters that it admits, and at times reads the sizes of letters that it has not
// read yet, which others may have stored. Removed letters are only counted, so a
// tally of letters of different sizes is an estimate until it is at zero again. A
// letter is admitted if the tally cannot be read, because the stream has a limit of
// its own.

const (
	// lookEvery is the longest time between two looks at what is stored while
	// letters are admitted, lookAgain the shortest where they are refused.
	lookEvery = 5 * time.Second
	lookAgain = time.Second
	// quotaShare is the part of the stream that is a service's quota by default.
	quotaShare = 8
	// lookBatch is how many letters are read at once.
	lookBatch = 500
	// storedOverhead is about how many bytes the server stores beside a message.
	storedOverhead = 34
)

// ErrQuota means that the service's dead letters have reached their quota.
var ErrQuota = errors.New("dead letters are full for this service")

// tally is the knowledge of one service's letters.
type tally struct {
	mu sync.Mutex // guards the rest; held during a look
	// stream is the creation time of the stream that was read, next the first unread
	// sequence, bytes and count are those of the letters read that still exist.
	stream time.Time
	next   uint64
	bytes  uint64
	count  uint64
	// admitted are the bytes admitted since the last look.
	admitted uint64
	looked   time.Time
}

// quotas are the tallies, and the set of the exhausted ones.
type quotas struct {
	store *store
	bytes uint64 // the quota of a service
	log   *slog.Logger

	mu      sync.Mutex // guards the rest
	tallies map[subjects.Name]*tally
	over    map[subjects.Name]overQuota
}

type overQuota struct {
	text string
	at   time.Time
}

func (q *quotas) tally(service subjects.Name) *tally {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tallies == nil {
		q.tallies, q.over = make(map[subjects.Name]*tally), make(map[subjects.Name]overQuota)
	}
	t := q.tallies[service]
	if t == nil {
		t = &tally{}
		q.tallies[service] = t
	}
	return t
}

func (q *quotas) note(service subjects.Name, text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if text == "" {
		delete(q.over, service)
		return
	}
	q.over[service] = overQuota{text, time.Now()}
}

// Admit takes a letter of a size into a service's tally, or returns an ErrQuota that
// says what to do. The last letter admitted may exceed the quota.
func (q *quotas) Admit(ctx context.Context, service subjects.Name, size int) error {
	t := q.tally(service)
	t.mu.Lock()
	defer t.mu.Unlock()
	used := func() uint64 { return t.bytes + t.admitted }
	due := lookEvery
	if used() >= q.bytes {
		due = lookAgain
	}
	if t.looked.IsZero() || time.Since(t.looked) >= due {
		if err := q.look(ctx, service, t); err != nil {
			q.log.Debug("read the sizes of dead letters", "service", service.String(), "err", err)
		}
	}
	if used() >= q.bytes {
		err := fmt.Errorf("%w: %d bytes of at most %d, its share of the stream %s; redrive or remove some (replhub dlq redrive %s --all, replhub dlq rm --all %s), or raise %s",
			ErrQuota, used(), q.bytes, contract.StreamDLQ, service, service, contract.EnvDLQServiceMaxBytes)
		q.note(service, err.Error())
		return err
	}
	q.note(service, "")
	t.admitted += uint64(max(size, 0))
	return nil
}

// appendWithin stores a letter if its service's quota allows it.
func (q *quotas) appendWithin(ctx context.Context, service subjects.Name, m *nats.Msg, id string) (seq uint64, added bool, err error) {
	size := storedSize(m.Subject, m.Header, len(m.Data))
	if err := q.Admit(ctx, service, size); err != nil {
		return 0, false, err
	}
	seq, added, err = q.store.append(ctx, m, id)
	if !added {
		q.retract(service, size)
	}
	return seq, added, err
}

// retract takes a letter that was not stored, or was already stored before, out of
// the tally again. A letter that was stored despite an error is found at the next
// look.
func (q *quotas) retract(service subjects.Name, size int) {
	t := q.tally(service)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.admitted -= min(t.admitted, uint64(size))
}

// OverQuota returns why a service's letters are refused; empty when they are not.
func (q *quotas) OverQuota(service subjects.Name) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.over[service].text
}

// refused returns the error of a service that was over its quota a moment ago,
// without a request.
func (q *quotas) refused(service subjects.Name) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if over, ok := q.over[service]; ok && time.Since(over.at) < lookAgain {
		return fmt.Errorf("%w: %s", ErrQuota, service)
	}
	return nil
}

// review looks again at the services over their quota, because no letter may
// have been offered since letters were removed.
func (q *quotas) review(ctx context.Context) {
	q.mu.Lock()
	services := slices.Collect(maps.Keys(q.over))
	q.mu.Unlock()
	for _, service := range services {
		_ = q.Admit(ctx, service, 0) // which notes the present state
	}
}

// look brings a tally up to date with the stream.
func (q *quotas) look(ctx context.Context, service subjects.Name, t *tally) error {
	filter := subjects.DeadLetterFilter(service)
	return q.store.stream.Do(ctx, func(ctx context.Context, s jetstream.Stream) error {
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return err
		}
		var stored uint64
		for _, n := range info.State.Subjects {
			stored += n
		}
		if !info.Created.Equal(t.stream) || info.State.LastSeq+1 < t.next {
			t.stream, t.next, t.bytes, t.count = info.Created, 1, 0, 0
		}
		if stored == 0 {
			t.bytes, t.count, t.next = 0, 0, info.State.LastSeq+1
		} else if info.State.LastSeq >= t.next {
			if err := t.read(ctx, s, filter, info.State.LastSeq, 2*q.bytes); err != nil {
				return err
			}
		}
		if stored < t.count {
			t.bytes, t.count = uint64(float64(t.bytes)*float64(stored)/float64(t.count)), stored
		}
		t.admitted, t.looked = 0, time.Now()
		return nil
	})
}

// read adds the sizes of the letters from next up to last, as far as enough.
func (t *tally) read(ctx context.Context, s jetstream.Stream, filter string, last, enough uint64) error {
	c, err := retry.Read(ctx, func(ctx context.Context) (jetstream.Consumer, error) {
		return s.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Description: "replhub: reads sizes", DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: t.next,
			FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true, MemoryStorage: true, InactiveThreshold: lookEvery,
		})
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name) }() // the consumer also expires by itself
	for left := c.CachedInfo().NumPending; left > 0 && t.bytes < enough; {
		batch, err := c.FetchNoWait(int(min(left, lookBatch)))
		if err != nil {
			return err
		}
		before := left
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			payload, err := strconv.Atoi(m.Headers().Get(nats.MsgSize))
			if err != nil {
				payload = 0 // an empty message has no payload
			}
			left--
			t.bytes += uint64(storedSize(m.Subject(), m.Headers(), payload))
			t.count++
			t.next = meta.Sequence.Stream + 1
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if left == before {
			return nil // removed meanwhile
		}
	}
	if t.bytes < enough {
		t.next = max(t.next, last+1)
	}
	return nil
}

// storedSize is about how many bytes a message takes in a stream.
func storedSize(subject string, header nats.Header, payload int) int {
	n := storedOverhead + len(subject) + len("NATS/1.0\r\n\r\n") + payload
	for name, values := range header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}
