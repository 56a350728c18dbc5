package scrub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/subjects"
)

// place is where a lane's consumers stood, and by which servers.
type place struct {
	connection uint64 // how often the hub's connection had been lost
	leaders    string
	floor      uint64
}

// course says when a lane is reviewed, and from where. The zero value has seen nothing.
type course struct {
	now   place
	begun bool
	// due says that a review is to begin behind the sequence from. Copies up to sureFrom may
	// have been processed before they were damaged.
	due            bool
	from, sureFrom uint64
	// reviewed is when a review was last due.
	reviewed time.Time
}

// stands notes where the consumers stand. A review is due at the first look, when a server
// may have read the lane from its disk since the last one, and after a time.
func (c *course) stands(at place, now time.Time, every time.Duration) {
	before, first := c.now, !c.begun
	c.now, c.begun = at, true
	switch {
	case first:
		c.begin(at.floor-min(at.floor, firstLook), at.floor, now)
	case before.connection != at.connection || before.leaders != at.leaders:
		c.begin(min(before.floor, at.floor), 0, now)
	case now.Sub(c.reviewed) >= every:
		c.begin(at.floor, 0, now)
	}
}

// begin makes a review due, beside one that has not begun yet.
func (c *course) begin(from, sureFrom uint64, now time.Time) {
	if c.due {
		from, sureFrom = min(c.from, from), c.sureFrom
	}
	c.due, c.from, c.sureFrom, c.reviewed = true, from, sureFrom, now
}

// again makes a review due again that failed.
func (c *course) again(task course) {
	if c.due {
		c.from, c.sureFrom = min(c.from, task.from), task.sureFrom
		return
	}
	c.due, c.from, c.sureFrom = true, task.from, task.sureFrom
}

// partOf is how many messages are read until what was found is dealt with.
const partOf = 100_000

// inParts reviews a stream, and goes along: after an error, the course goes on behind the
// last part that was reviewed.
func (c *course) inParts(first, last uint64, review func(from, to uint64) error) error {
	for from := max(c.from+1, first); from <= last; from += partOf {
		to := min(from+partOf-1, last)
		if err := review(from, to); err != nil {
			return err
		}
		c.from = to
	}
	return nil
}

// leadersOf names the servers that lead consumers, and since when.
func leadersOf(workers map[string]*jetstream.ConsumerInfo) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		if at := workers[name].Cluster; at != nil {
			since := time.Time{}
			if at.LeaderSince != nil {
				since = *at.LeaderSince
			}
			all = append(all, fmt.Sprintf("%s %s %d", name, at.Leader, since.UnixNano()))
		}
	}
	return strings.Join(all, " ")
}

func detachedText(gaps []record.Gap) string {
	return fmt.Sprintf("the server has lost copies %s of the lane, as a damaged disk does, and passes over them", text(gaps))
}

func doubtfulText(service subjects.Name, gaps []record.Gap) string {
	return fmt.Sprintf("lane %s: the server has lost copies %s, as a damaged disk does; the service may have processed them before; if it may not: replhub verify, replhub backfill, or register it with a start",
		service, text(gaps))
}

func replicaText(service subjects.Name, server string, gaps []record.Gap) string {
	return fmt.Sprintf("lane %s: server %s cannot read copies %s, as with a damaged disk, and passes over them where it leads a consumer; stop it, remove its store, and start it, so that it gets them from the others; then rewind the service to before them (replhub rewind %s)",
		service, server, text(gaps), service)
}

func lettersText(server string, gaps []record.Gap) string {
	return fmt.Sprintf("dead letters: server %s cannot read messages %s of stream DLQ, as with a damaged disk; the events of those letters may still be in ingest: replhub explain, or replhub backfill", server, text(gaps))
}
