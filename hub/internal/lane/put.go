package lane

import (
	"context"
	"time"
)

const (
	// settleAfter is how long an append stays open without another message. A
	// lane whose events are further apart appends them one by one.
	settleAfter = 10 * time.Millisecond
	// leaveTime bounds how long a lane that stops waits for what it has sent.
	leaveTime = 2 * time.Second
)

// put appends messages behind the tip: into the open append if there is one or
// one is worth it, so that it may return before they are stored. last has the
// append end with them. Whatever was sent is one append until settle: the lane
// goes on as if it were stored, and reads itself anew when it was not.
func (l *Lane) put(ctx context.Context, msgs []Message, last bool) (kind Kind, err error) {
	now := time.Now()
	steady := len(msgs) > 1 || now.Sub(l.appendedAt) < settleAfter
	l.appendedAt = now
	if l.batch == nil {
		if l.env.Appender.kind != Fast || last || !steady {
			err = l.within(ctx, func(ctx context.Context) error {
				kind, err = l.env.Appender.Append(ctx, l.stream, l.tip.Last, msgs)
				return err
			})
			return kind, err
		}
		l.batch = l.env.Appender.Open(l.stream, l.tip.Last, l.nudge)
	}
	if last || l.batch.Large() {
		defer l.drop()
		return Fast, l.within(ctx, func(ctx context.Context) error { return l.batch.SendLast(ctx, msgs) })
	}
	ctx, cancel := l.patience.bound(ctx)
	defer cancel()
	if err := l.batch.Send(ctx, msgs); err != nil {
		l.patience.learn(err)
		return Fast, err
	}
	return Fast, nil // which says nothing of answers: most often it waits for none
}

// within waits for the server's answer no longer than the lane's patience, which
// learns from it.
func (l *Lane) within(ctx context.Context, wait func(context.Context) error) error {
	ctx, cancel := l.patience.bound(ctx)
	defer cancel()
	err := wait(ctx)
	l.patience.learn(err)
	return err
}

// settle ends the open append and waits until all of it is stored. On an error
// the lane must be read again.
func (l *Lane) settle(ctx context.Context) error {
	if l.batch == nil {
		return nil
	}
	defer l.drop()
	if err := l.batch.Err(); err != nil {
		return err
	}
	return l.within(context.WithoutCancel(ctx), l.batch.Settle)
}

// drop forgets the open append, whatever became of it.
func (l *Lane) drop() {
	if l.batch != nil {
		l.storedUpTo(l.batch.Stored())
		l.batch.Drop()
		l.batch = nil
	}
	l.release()
}

// leave settles what was sent when the lane stops, so that a clean stop leaves
// nothing on its way. What does not arrive is found by whoever reads the lane.
func (l *Lane) leave(ctx context.Context) {
	if l.batch == nil {
		return
	}
	defer l.drop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := l.batch.Settle(ctx); err != nil {
		l.log.Debug("lane left in doubt", "err", err)
	}
}

// release gives back what is no longer on its way, and counts what is stored.
func (l *Lane) release() {
	var keep int64
	if l.batch != nil {
		l.storedUpTo(l.batch.Stored())
		keep = int64(l.batch.Unstored())
	}
	if keep < l.held {
		l.env.appends.Release(l.held - keep)
		l.held = keep
	}
}
