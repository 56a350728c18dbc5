package lane

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// followCost is what an event may cost that a lane takes on the tail's goroutine:
// all others wait for it. A lane with a filter that costs more works by itself
// for followPause.
const (
	followCost  = 100 * time.Microsecond
	followPause = time.Second
)

// wait waits as the core says, or until ctx ends. While the lane stands at the end of
// ingest, the tail may have it follow on the tail's own goroutine.
func (l *Lane) wait(ctx context.Context, w core.Wait) {
	if w.Release {
		l.closeReaders()
	}
	var more <-chan struct{}
	if w.Events {
		more = l.more
	}
	var timeout <-chan time.Time
	if w.D > 0 {
		d := w.D
		if w.Jitter > 0 {
			d += rand.N(w.Jitter)
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	if w.Stand {
		l.working.Unlock()
		defer l.working.Lock()
	}
	select {
	case <-ctx.Done():
	case <-more:
	case <-l.wake:
	case <-timeout:
	}
}

// follower is a lane as the tail sees it.
type follower Lane

// Follow takes an event if the lane stands right before it and nothing about it
// needs waiting for; else it has the lane's own goroutine see to it. So when
// events are few, one goroutine makes all copies of an event and they leave
// together, instead of each lane being woken for its own.
func (f *follower) Follow(e *event.Event) (took bool) {
	l := (*Lane)(f)
	if e != nil && l.working.TryLock() {
		took = l.follow(e)
		l.working.Unlock()
	}
	if !took {
		// Not a nudge: a lane that waits for anything else is not to be woken by
		// events. The token stays until it stands at the end again.
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
	return took
}

func (l *Lane) follow(e *event.Event) bool {
	if l.stale.Load() || !l.owned.Load() || l.Parked() != "" || !l.env.Tail.Current(l.liveSource.generation) {
		return false
	}
	now := time.Now()
	// A large payload waits for its turn to be decoded.
	ready := l.batch != nil && l.batch.Ready() && !now.Before(l.heavyUntil) && len(e.Data) < largePayload
	var clock time.Time
	if l.core.Stalling() {
		clock = l.env.Ingest.Now()
	}
	came, a := l.core.Follow(now, clock, e, ready, int(l.env.JS.Conn().MaxPayload()))
	if ready && time.Since(now) > followCost {
		l.heavyUntil = now.Add(followPause)
	}
	if came == core.Copied {
		return l.sendFollowed(a)
	}
	if came == core.Took {
		l.publish()
	}
	return came == core.Took
}

// sendFollowed adds a copy to the open append.
func (l *Lane) sendFollowed(a core.Append) bool {
	if !l.env.appends.TryAcquire(1) {
		l.core.Unsent()
		return false
	}
	l.held++
	l.env.Failpoint("append")
	if err := l.batch.Send(context.Background(), a.Msgs); err != nil { // does not wait: it is ready
		l.failed(err)
		return false
	}
	l.env.Failpoint("appended")
	l.core.Sent()
	l.release()
	l.publish()
	return true
}
