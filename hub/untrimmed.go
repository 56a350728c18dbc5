package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// untrimmed are the lanes that keep ingest from being trimmed.
type untrimmed struct {
	mu sync.Mutex // guards what follows
	// unknown are the lanes whose position cannot be read. While there is one, ingest is
	// not trimmed.
	unknown lanesInTrouble
	// unfenced are the lanes whose state record cannot be written. Ingest keeps what
	// their unfinished registrations may need.
	unfenced lanesInTrouble
}

type lanesInTrouble map[subjects.Name]laneInTrouble

type laneInTrouble struct {
	since time.Time
	err   error
}

// set takes the result of a trim, and logs which lanes are new and which are well again.
func (u *untrimmed) set(log *slog.Logger, done retention.Trimmed) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unknown = u.unknown.next(done.Need.Unknown,
		func(service subjects.Name, err error) {
			log.Warn("ingest is not trimmed: where a lane stands cannot be read", "service", service.String(), "err", err)
		},
		func(service subjects.Name, after string) {
			log.Info("a lane can be read again", "service", service.String(), "after", after)
		})
	u.unfenced = u.unfenced.next(done.Unfenced,
		func(service subjects.Name, err error) {
			log.Warn("ingest keeps what an unfinished registration may need: the lane cannot be written", "service", service.String(), "err", err)
		},
		func(service subjects.Name, after string) {
			log.Info("a lane no longer limits the trim of ingest", "service", service.String(), "after", after)
		})
}

// next is the lanes that are in trouble now.
func (l lanesInTrouble) next(now map[subjects.Name]error, begins func(subjects.Name, error), ends func(service subjects.Name, after string)) lanesInTrouble {
	next := make(lanesInTrouble, len(now))
	for service, err := range now {
		known, was := l[service]
		if !was {
			known.since = time.Now()
			begins(service, err)
		}
		known.err = err
		next[service] = known
	}
	for service, was := range l {
		if _, still := next[service]; !still {
			ends(service, time.Since(was.since).Round(time.Millisecond).String())
		}
	}
	return next
}

// reset forgets the lanes: this hub does not trim ingest now.
func (u *untrimmed) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unknown, u.unfenced = nil, nil
}

// degraded says for each lane what is wrong and what to do.
func (u *untrimmed) degraded() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var texts []string
	for service, l := range u.unknown {
		todo := fmt.Sprintf("bring back the servers that hold stream %s, or give the lane up with `replhub drop %s --lost`", subjects.LaneStream(service), service)
		if errors.Is(l.err, lane.ErrNewer) {
			todo = "upgrade this hub"
		}
		texts = append(texts, fmt.Sprintf("ingest is not trimmed: where lane %s stands cannot be read since %s (%v); %s",
			service, l.since.UTC().Format(time.RFC3339), l.err, todo))
	}
	for service, l := range u.unfenced {
		texts = append(texts, fmt.Sprintf("ingest keeps the events that an unfinished registration of %s may need: the lane cannot be written since %s (%v); make stream %s writable again, or drop the service",
			service, l.since.UTC().Format(time.RFC3339), l.err, subjects.LaneStream(service)))
	}
	slices.SortFunc(texts, strings.Compare)
	return texts
}
