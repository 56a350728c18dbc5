package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/pause"
)

const (
	// look is the time between two looks, and settle how long the lane must have had
	// everything, and a consumer nothing to do: a hub says where it is a moment before the
	// server has stored the copies, and the server raises a consumer's counts a moment
	// after that.
	look   = 100 * time.Millisecond
	settle = time.Second
	// answerTime bounds one request.
	answerTime = 5 * time.Second
	// stuckAfter is when a wait without progress is logged.
	stuckAfter = 30 * time.Second
)

// CaughtUp tells when a service has caught up: every event that ingest held when Wait
// began, and every row of the snapshots and backfills that were due then, has been
// acknowledged by an instance of the service. So it has had its effect, or is a dead
// letter. Events that come later do not count: Wait ends under load, too.
type CaughtUp struct {
	// Client is connected as the service.
	Client *replhub.Client
	// Epoch is ingest's, as the registration's reply said: a hub that does not know of it
	// yet does not count. 0 believes every hub.
	Epoch  uint64
	Logger *slog.Logger
}

// ErrPaused means that the service's workers are paused, so that it cannot catch up.
var ErrPaused = errors.New("the service's workers are paused")

// Wait waits until the service has caught up, or ctx ends. An answer that does not come
// is asked for again. The service must be registered.
func (c CaughtUp) Wait(ctx context.Context) error {
	w := &catching{epoch: c.Epoch, idle: make(map[string]time.Time)}
	p := progress{service: c.Client.Service(), log: c.Logger, moved: time.Now()}
	for {
		status, err := c.describe(ctx)
		if err == nil {
			p.note(status)
			var done bool
			if done, err = w.look(status, time.Now()); done || err != nil {
				return err
			}
		} else if ctx.Err() == nil {
			c.Logger.Debug("look whether the service has caught up; it is tried again", "service", c.Client.Service(), "err", err)
		}
		p.tellStuck()
		if err := pause.For(ctx, look); err != nil {
			return err
		}
	}
}

func (c CaughtUp) describe(ctx context.Context) (*contract.LaneStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	status := new(contract.LaneStatus)
	if err := c.Client.Ask(ctx, contract.VerbDescribe, contract.Describe{}, status); err != nil {
		return nil, fmt.Errorf("ask the hub for the lane: %w", err)
	}
	return status, nil
}

// catching decides from looks at a lane whether its service has caught up. Pure.
type catching struct {
	epoch uint64
	// begun is set when the goal is known: the last event that ingest held.
	begun bool
	goal  position
	// copied is since when everything up to the goal is in the lane, as the hub says;
	// zero before. last is the lane's last sequence some time after; 0 before. Each
	// consumer has to acknowledge up to there.
	copied time.Time
	last   uint64
	// idle is since when a consumer has had nothing to do.
	idle map[string]time.Time
}

type position struct{ epoch, seq uint64 }

func (p position) before(o position) bool {
	return cmp.Or(cmp.Compare(p.epoch, o.epoch), cmp.Compare(p.seq, o.seq)) < 0
}

// look takes a lane's status. The hub reads the lane's last sequence first, then the
// position up to which it has copied, and then the consumers.
func (w *catching) look(s *contract.LaneStatus, now time.Time) (done bool, err error) {
	if !w.begun && s.Epoch >= w.epoch {
		w.begun, w.goal = true, position{s.Epoch, s.Seq + s.Lag}
	}
	for _, worker := range s.Workers {
		if worker.PausedUntil != nil {
			return false, fmt.Errorf("%w until %s: run 'replhub resume %s'", ErrPaused, worker.PausedUntil.Format(time.RFC3339), s.Service)
		}
	}
	w.seeLane(s, now)
	return w.acknowledged(s, now), nil
}

// seeLane notes the lane's last sequence once everything up to the goal is in the lane,
// and has been for a while: a hub's position is ahead of the copies that are on their way
// to the stream, and goes back where they are lost.
func (w *catching) seeLane(s *contract.LaneStatus, now time.Time) {
	switch {
	case !w.begun, !copied(s, w.goal):
		w.copied, w.last = time.Time{}, 0
	case w.copied.IsZero():
		w.copied = now
	case w.last == 0 && now.Sub(w.copied) >= settle:
		w.last = max(s.LastSeq, 1)
	}
}

// copied reports whether everything that is due up to the goal is in the lane.
func copied(s *contract.LaneStatus, goal position) bool {
	if s.Fill != nil || len(s.OtherFills) > 0 || s.FillsLeftOut > 0 {
		return false
	}
	at := position{s.Epoch, s.Seq}
	return !at.before(goal) && (at.epoch == goal.epoch || s.Lag == 0)
}

// acknowledged reports whether each consumer has acknowledged what the lane held.
func (w *catching) acknowledged(s *contract.LaneStatus, now time.Time) bool {
	all := w.last > 0 && (len(s.Workers) > 0 && s.WorkersLeftOut == 0 || s.Backlog == 0)
	for i := range s.Workers {
		if !w.through(&s.Workers[i], now) {
			all = false
		}
	}
	return all
}

// through reports whether a consumer has acknowledged what the lane held: its floor is
// behind that, or it has had nothing to do for a while.
func (w *catching) through(c *contract.WorkerStatus, now time.Time) bool {
	if c.Missing || c.Pending > 0 || c.AckPending > 0 {
		delete(w.idle, c.Consumer)
		return w.last > 0 && !c.Missing && c.AckFloor >= w.last
	}
	since, known := w.idle[c.Consumer]
	if !known {
		since, w.idle[c.Consumer] = now, now
	}
	return w.last > 0 && (c.AckFloor >= w.last || now.Sub(since) >= settle)
}

// progress tells an operator that a service does not catch up.
type progress struct {
	service string
	log     *slog.Logger
	// moved is when the lane's status changed, and seen what is compared.
	moved time.Time
	seen  string
	told  bool
}

// note remembers when there was progress.
func (p *progress) note(s *contract.LaneStatus) {
	rows := uint64(0)
	if s.Fill != nil {
		rows = s.Fill.Rows
	}
	seen := fmt.Sprint(s.Epoch, s.Seq, s.Backlog, rows, s.State)
	if seen != p.seen {
		p.seen, p.moved, p.told = seen, time.Now(), false
	}
	if s.Fill != nil && s.Fill.Stalled != "" && time.Since(p.moved) > stuckAfter && !p.told {
		p.told = true
		p.log.Warn("the service does not catch up: the rows do not come", "service", p.service, "reason", OneLine(s.Fill.Stalled, maxDegradedText))
	}
}

// tellStuck says once that nothing moves.
func (p *progress) tellStuck() {
	if p.told || time.Since(p.moved) <= stuckAfter {
		return
	}
	p.told = true
	p.log.Warn("the service does not catch up: nothing has moved for a while; see 'replhub describe'", "service", p.service, "for", stuckAfter.String())
}
