package deadletter

import (
	"math"
	"sync"
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

// watch is what this queue knows of a consumer.
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

// watches are the consumers of the lanes, as far as this queue knows them.
type watches struct {
	mu    sync.Mutex // guards what follows and what it points to
	known map[watchKey]*watch
}

// observe brings a watch up to date and reports whether every exhausted
// delivery of the consumer has its letter.
func (w *watches) observe(service subjects.Name, info *jetstream.ConsumerInfo) (now watch, clean bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := watchKey{service, info.Name}
	known := w.known[key]
	if known == nil || !known.created.Equal(info.Created) {
		known = &watch{created: info.Created, generation: lane.GenerationOf(info)}
		w.known[key] = known
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

// Settled is what this queue saw last of a consumer, for one that is missing
// now.
func (w *watches) Settled(service subjects.Name, consumer string) lane.Settled {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.known[watchKey{service, consumer}]
	if known == nil {
		return lane.Settled{}
	}
	return lane.Settled{UpTo: known.clean, Generation: known.generation, PausedUntil: known.pausedUntil}
}

// cleared notes that everything up to a sequence has its letter.
func (w *watches) cleared(service subjects.Name, info *jetstream.ConsumerInfo, upTo uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.known[watchKey{service, info.Name}]
	if known == nil || !known.created.Equal(info.Created) {
		return
	}
	known.clean = max(known.clean, upTo)
	known.suspect = time.Time{}
}
