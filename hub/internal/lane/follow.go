package lane

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/core"
)

// followCost bounds the time that a lane may spend on an event on the tail's
// goroutine, because all other lanes wait meanwhile. A lane whose filter takes longer
// works on its own goroutine for followPause.
const (
	followCost  = 100 * time.Microsecond
	followPause = time.Second
)

// wait performs the core's Wait, or waits until ctx ends. While the lane stands at
// the end of ingest, the tail may have it follow on the tail's own goroutine.
func (d *driver) wait(ctx context.Context, w core.Wait) {
	if w.Release {
		d.closeReaders()
	}
	var more <-chan struct{}
	if w.Events {
		more = d.more
	}
	var timeout <-chan time.Time
	if w.D > 0 {
		long := w.D
		if w.Jitter > 0 {
			long += rand.N(w.Jitter)
		}
		timer := time.NewTimer(long)
		defer timer.Stop()
		timeout = timer.C
	}
	if w.Stand {
		d.working.Unlock()
		defer d.working.Lock()
	}
	select {
	case <-ctx.Done():
	case <-more:
	case <-d.wake:
	case <-timeout:
	}
}

// Follow takes an event if the lane stands right before it and can process it without
// waiting; otherwise it leaves the event to the lane's own goroutine. So when events
// are few, one goroutine makes all copies of an event and sends them together, and
// the lanes' goroutines are not woken.
func (d *driver) Follow(e *event.Event) (took bool) {
	if e != nil && d.working.TryLock() {
		took = d.follow(e)
		d.working.Unlock()
	}
	if !took {
		// This is not a nudge: a lane that waits for something else must not be woken
		// by events. The token stays until the lane stands at the end again.
		select {
		case d.more <- struct{}{}:
		default:
		}
	}
	return took
}

func (d *driver) follow(e *event.Event) bool {
	if d.env.Ingest.Erased(e) {
		return false // since the tail read it
	}
	if d.stale.Load() || !d.owned.Load() || d.Parked() != "" || d.behind() != "" || !d.env.Tail.Current(d.liveSource.generation) {
		return false
	}
	now := time.Now()
	// A large payload waits for its turn to be decoded.
	ready := d.open != nil && d.open.Ready() && !now.Before(d.heavyUntil) && len(e.Data) < largePayload
	var clock time.Time
	if d.core.Stalling() {
		clock = d.env.Ingest.Now()
	}
	came, a := d.core.Follow(now, clock, e, ready, int(d.env.JS.Conn().MaxPayload()))
	if ready && time.Since(now) > followCost {
		d.heavyUntil = now.Add(followPause)
	}
	if came == core.Copied {
		return d.sendFollowed(a)
	}
	if came == core.Took {
		d.publish()
	}
	return came == core.Took
}

// sendFollowed adds a copy to the open append.
func (d *driver) sendFollowed(a core.Append) bool {
	if !d.env.appends.TryAcquire(1) {
		d.core.Unsent()
		return false
	}
	d.held++
	d.env.Failpoint("append")
	d.trace(a)
	if err := d.open.Send(context.Background(), a.Msgs); err != nil { // does not wait, because the append is ready
		d.failed(err)
		return false
	}
	d.env.Failpoint("appended")
	d.core.Sent()
	d.release()
	d.publish()
	return true
}
