package deadletter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// nothingHeld is above every sequence.
const nothingHeld = math.MaxUint64

// watchKey names one consumer of a lane.
type watchKey struct {
	service  subjects.Name
	consumer string
}

// watch is what this office knows of a consumer.
type watch struct {
	// created tells the consumer from another one of its name.
	created time.Time
	// clean is the sequence up to which no exhausted delivery lacks its letter.
	clean uint64
	// floor is the ack floor of the last answer.
	floor uint64
	// suspect is since when the counts leave room for one; zero when they do not.
	suspect time.Time
	// generation and pausedUntil are the consumer's.
	generation  string
	pausedUntil *time.Time
}

// observe brings a watch up to date and reports whether every exhausted
// delivery of the consumer has its letter.
func (q *Queue) observe(service subjects.Name, info *jetstream.ConsumerInfo) (w watch, clean bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := watchKey{service, info.Name}
	known := q.watches[key]
	if known == nil || !known.created.Equal(info.Created) {
		known = &watch{created: info.Created, generation: lane.GenerationOf(info)}
		q.watches[key] = known
	}
	known.pausedUntil = info.Config.PauseUntil
	if info.AckFloor.Stream < known.floor {
		// The server has begun with older knowledge, perhaps with an older copy of the lane:
		// other copies may have those sequences now.
		known.clean = min(known.clean, info.AckFloor.Stream)
	}
	known.floor = info.AckFloor.Stream
	// With max_deliver 1 the server reports no redelivered messages, though it
	// keeps them (consumer.go, infoWithSnapAndReply).
	if info.NumRedelivered == 0 && info.Config.MaxDeliver != 1 {
		known.clean = max(known.clean, info.AckFloor.Stream)
		known.suspect = time.Time{}
		return *known, true
	}
	if known.suspect.IsZero() {
		known.suspect = time.Now()
	}
	return *known, false
}

// Settled is what this office saw last of a consumer, for one that is missing
// now.
func (q *Queue) Settled(service subjects.Name, consumer string) lane.Settled {
	q.mu.Lock()
	defer q.mu.Unlock()
	known := q.watches[watchKey{service, consumer}]
	if known == nil {
		return lane.Settled{}
	}
	return lane.Settled{UpTo: known.clean, Generation: known.generation, PausedUntil: known.pausedUntil}
}

// cleared notes that everything up to a sequence has its letter.
func (q *Queue) cleared(service subjects.Name, info *jetstream.ConsumerInfo, upTo uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	known := q.watches[watchKey{service, info.Name}]
	if known == nil || !known.created.Equal(info.Created) {
		return
	}
	known.clean = max(known.clean, upTo)
	known.suspect = time.Time{}
}

// Hold is the lowest sequence of a lane that must stay because a delivery from
// there on may have failed without its letter being stored yet; the largest
// number there is when nothing is held. workers are the lane's consumers as they
// were when their ack floors were taken: one answer has to give both, since a
// later one may come from a server that knows less.
func (q *Queue) Hold(ctx context.Context, service subjects.Name, workers map[string]*jetstream.ConsumerInfo) (uint64, error) {
	hold := uint64(nothingHeld)
	for _, info := range workers {
		if w, clean := q.observe(service, info); !clean {
			hold = min(hold, w.clean+1)
		}
	}
	lowest, err := q.lowestUnsettled(ctx, service)
	return min(hold, lowest), err
}

// maxUnsettled is how many advisories of a service Hold looks through. Where
// there are more the whole lane is held.
const maxUnsettled = 256

// lowestUnsettled is the lowest lane sequence that an advisory in the stream
// speaks of.
func (q *Queue) lowestUnsettled(ctx context.Context, service subjects.Name) (uint64, error) {
	lowest := uint64(nothingHeld)
	filter := unsettledFilter(service)
	from := uint64(1)
	for range maxUnsettled {
		m, err := message(ctx, q.advisories, from, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return lowest, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read the advisories of %s: %w", service, err)
		}
		f, _, ours, err := decodeAdvisory(m.Subject, m.Data)
		if ours && err == nil {
			lowest = min(lowest, f.seq)
		}
		from = m.Sequence + 1
	}
	return 0, nil
}

func unsettledFilter(service subjects.Name) string {
	return advisoryPrefix + "*." + subjects.LaneStream(service) + ".*"
}
