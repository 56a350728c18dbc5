package lane

import (
	"context"
	"time"

	"github.com/replhub/replhub/event"
	"github.com/replhub/replhub/expand"
)

// stand waits like wait, at the end of ingest: meanwhile the tail may have the
// lane follow on its own goroutine.
func (l *Lane) stand(ctx context.Context, d time.Duration) error {
	l.working.Unlock()
	defer l.working.Lock()
	return l.wait(ctx, d)
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
		l.nudge()
	}
	return took
}

func (l *Lane) follow(e *event.Event) bool {
	pos := l.tip.State.Pos
	if !l.synced || l.stale.Load() || l.idle() || l.tip.State.Phase != Live ||
		e.Pos.Epoch != pos.Epoch || e.Pos.Seq != pos.Seq+1 || !l.env.Tail.Current(l.liveSource.generation) {
		return false
	}
	d := l.live.Expand(e)
	switch d.Kind {
	case expand.Skip:
		// The first one that is passed over has the lane watch the time.
		if l.unrecorded == 0 || l.unrecorded >= recordAfter {
			return false
		}
		l.pass([]*event.Event{e})
		return true
	case expand.Copy:
		return l.followCopy(e, d)
	default:
		return false // a dead letter is stored first
	}
}

// followCopy adds a copy to the open append.
func (l *Lane) followCopy(e *event.Event, d expand.Decision) bool {
	if l.batch == nil || l.batch.Err() != nil || l.batch.Unstored() >= maxUnstored {
		return false
	}
	m := Message{Subject: d.Subject, Header: e.CopyHeader(), Data: d.Data}
	if m.tooLarge(int(l.env.JS.Conn().MaxPayload())) || l.full() || !l.env.appends.TryAcquire(1) {
		return false
	}
	l.held++
	defer l.release()
	b := batch{msgs: []Message{m}, bytes: m.size(), events: 1, end: e}
	if err := l.batch.publish(b.msgs, false); err != nil {
		l.stale.Store(true)
		return false
	}
	l.appendedAt = time.Now()
	l.appended(Fast, b)
	return true
}
