package lane

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
)

// sync reads where the lane stands from its stream and checks that against
// ingest. Everything in memory is made from what was read.
func (l *Lane) sync(ctx context.Context) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	// Rows on their way stay: take gives up those that do not come next, and an
	// owner has few hands for those who ask again.
	l.closeReaders()
	tip, err := ReadTip(ctx, l.env.JS, l.service)
	if errors.Is(err, ErrStateLost) {
		return l.replaceState(ctx, tip.Last)
	}
	if err != nil {
		return err
	}
	if !l.forestalled {
		l.storedUpTo(tip.Last) // the answer was lost
	}
	l.outgoing.lost()
	l.forestalled = false
	if tip.Foreign > 0 && tip.Last != l.foreignAt {
		l.foreignAt = tip.Last // a lane that stalls reads them again and again
		l.counted.foreign.Add(uint64(tip.Foreign))
		l.log.Error("foreign messages in the lane: somebody else publishes into it", "count", tip.Foreign)
	}
	return l.take(ctx, tip)
}

// replaceState writes a state record into a stream that somebody purged by
// hand. What this process knows is good as long as nobody has appended since;
// otherwise where the lane stood is lost, and the lane is cut off loudly.
func (l *Lane) replaceState(ctx context.Context, last uint64) error {
	known := l.tip.StateSeq > 0 && l.tip.Last == last
	l.log.Error("the lane's state record is gone: the stream was purged by hand", "known_here", known)
	if known {
		return l.record(ctx, l.tip.State)
	}
	state := First(ingest.Mark{}, DefaultQueue(), 0)
	if l.env.Recorded != nil {
		var err error
		if state, err = l.env.Recorded(ctx, l.service); err != nil {
			return err
		}
	}
	l.tip = Tip{State: state, Last: last}
	return l.record(ctx, l.tip.State.Detach(contract.TroubleOther, ErrStateLost.Error()+": the stream was purged by hand", l.env.Ingest.Now()))
}

// take makes a tip the lane's state.
func (l *Lane) take(ctx context.Context, tip Tip) error {
	// The generation first: a tail that begins anew after this is noticed.
	generation := l.env.Tail.Join()
	state, err := resume(ctx, l.env.Ingest, tip.State)
	if errors.Is(err, ingest.ErrTrimmed) {
		return l.detach(ctx, tip, contract.TroubleTrimmed, "events it still needed are gone from ingest: "+err.Error())
	}
	if err != nil {
		return err
	}
	tip.State = state
	live, fill, err := l.compile(state)
	if err != nil {
		return err
	}
	l.tip, l.live, l.fill = tip, live, fill
	l.read = tip.Last
	l.rows.keep(state)
	if len(state.Fills) == 0 {
		l.fillSource.close()
	}
	l.liveSource.join(generation)
	l.fillSource.join(generation)
	l.sliceBegan = time.Now()
	l.unrecorded, l.recordedAt = 0, time.Now()
	l.synced = true
	l.report()
	return nil
}

// resume checks the cursors of a state against ingest.
func resume(ctx context.Context, g *ingest.Ingest, s State) (State, error) {
	if s.Detached != nil || len(s.Interests) == 0 {
		return s, nil
	}
	s = s.Clone()
	pos, err := g.Resume(ctx, s.Pos)
	if err != nil {
		return State{}, err
	}
	s.Pos = pos
	for i := range s.Fills {
		if s.Fills[i].Snapshot != nil {
			continue
		}
		if s.Fills[i].At, err = g.Resume(ctx, s.Fills[i].At); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// detach cuts the lane off with a state record, so that every hub and the
// service's instances see it.
func (l *Lane) detach(ctx context.Context, tip Tip, cause contract.Trouble, reason string) error {
	l.log.Error("lane detached: register again to start anew", "reason", reason)
	l.tip = tip
	return l.record(ctx, tip.State.Detach(cause, reason, l.env.Ingest.Now()))
}

// recoverFrom reports an error of a turn, waits as it deserves and has the
// lane read again: after an error nothing in memory is trusted.
func (l *Lane) recoverFrom(ctx context.Context, err error) {
	l.synced = false
	l.drop()
	l.closeSources()
	err, l.forestalled = l.diagnose(ctx, err)
	if l.forestalled {
		l.counted.fenced.Add(1)
		// Another hub believes that it owns the lane, or has changed its
		// interests. A short random wait lets one of two writers get ahead.
		_ = l.wait(ctx, nil, time.Duration(1+rand.IntN(5))*time.Millisecond)
		return
	}
	if errors.Is(err, ErrNewer) {
		l.refuseChanges(err) // waiting does not help
	}
	l.counted.retries.Add(1)
	l.stalled(err)
	longest := maxBackoff
	if errors.Is(err, ErrFull) {
		longest = fullBackoff // workers may make room at any time
	}
	l.backoff = min(max(2*l.backoff, minBackoff), longest)
	l.report()
	_ = l.wait(ctx, nil, l.backoff)
}
