package lane

import (
	"context"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/match"
)

// followCost is what an event may cost that a lane takes on the tail's goroutine:
// all others wait for it. A lane with a filter that costs more works by itself
// for followPause.
const (
	followCost  = 100 * time.Microsecond
	followPause = time.Second
)

// stand waits at the end of ingest until more events, a nudge, the end of a time
// (0: for ever) or of ctx, whose error it returns. Meanwhile the tail may have
// the lane follow on its own goroutine.
func (l *Lane) stand(ctx context.Context, d time.Duration) error {
	l.working.Unlock()
	defer l.working.Lock()
	return l.wait(ctx, l.more, d)
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
	pos := l.tip.State.Pos
	if !l.synced || l.stale.Load() || l.idle() || l.tip.State.Phase != Live ||
		e.Pos.Epoch != pos.Epoch || !l.env.Tail.Current(l.liveSource.generation) {
		return false
	}
	switch {
	case e.Pos.Seq <= pos.Seq:
		return true // it was faster
	case e.Pos.Seq > pos.Seq+1:
		return false
	case !l.live.Wants(e.Subject.Entity()):
		return l.followPast(e)
	case l.batch == nil:
		return false
	}
	began := time.Now()
	if began.Before(l.heavyUntil) {
		return false
	}
	if len(e.Data) >= largePayload {
		return false // it waits for its turn to be decoded
	}
	d := l.live.Expand(e)
	if time.Since(began) > followCost {
		l.heavyUntil = began.Add(followPause)
	}
	switch d.Kind {
	case match.Skip:
		return l.followPast(e)
	case match.Copy:
		return l.followCopy(e, d)
	default:
		return false // a dead letter is stored first
	}
}

// followPast passes over an event. The first one has the lane's own goroutine
// watch the time.
func (l *Lane) followPast(e *event.Event) bool {
	if l.unrecorded == 0 || l.unrecorded >= recordAfter {
		return false
	}
	l.pass([]*event.Event{e})
	return true
}

// followCopy adds a copy to the open append.
func (l *Lane) followCopy(e *event.Event, d match.Decision) bool {
	if !l.batch.Ready() || l.batch.Large() {
		return false
	}
	m := Message{Subject: d.Subject, Header: e.CopyHeader(), Data: d.Data}
	if m.tooLarge(int(l.env.JS.Conn().MaxPayload())) || l.full() || !l.env.appends.TryAcquire(1) {
		return false
	}
	l.held++
	defer l.release()
	b := batch{msgs: []Message{m}, bytes: m.size(), events: 1, end: e}
	l.env.Failpoint("append")
	l.outgoing.add(l.tip.Last, b.msgs)
	if err := l.batch.Send(context.Background(), b.msgs); err != nil { // does not wait: it is ready
		l.drop()
		l.stale.Store(true)
		return false
	}
	l.env.Failpoint("appended")
	l.appendedAt = time.Now()
	l.appended(Fast, b)
	return true
}
