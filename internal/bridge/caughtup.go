package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/pause"
	"github.com/replhub/replhub/subjects"
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
	// Conn needs the permissions of a service.
	Conn    *nats.Conn
	Service subjects.Name
	// Domain is the JetStream domain; by default the connection's own.
	Domain string
	Logger *slog.Logger
}

// ErrPaused means that the service's workers are paused, so that it cannot catch up.
var ErrPaused = errors.New("the service's workers are paused")

// Wait waits until the service has caught up, or ctx ends. An answer that does not come
// is asked for again. The service must be registered.
func (c CaughtUp) Wait(ctx context.Context) error {
	js, err := jsapi.Open(c.Conn, c.Domain)
	if err != nil {
		return err
	}
	w := &catching{CaughtUp: c, js: js, idle: make(map[string]time.Time), moved: time.Now()}
	for {
		done, err := w.step(ctx)
		switch {
		case done, errors.Is(err, ErrPaused):
			return err
		case err != nil && ctx.Err() == nil:
			c.Logger.Debug("look whether the service has caught up; it is tried again", "service", c.Service.String(), "err", err)
		}
		w.tellStuck()
		if err := pause.For(ctx, look); err != nil {
			return err
		}
	}
}

// catching is one Wait.
type catching struct {
	CaughtUp

	js jetstream.JetStream
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
	// moved is when there was progress, and seen what it is judged by.
	moved time.Time
	seen  string
	told  bool
}

type position struct{ epoch, seq uint64 }

func (p position) before(o position) bool {
	return cmp.Or(cmp.Compare(p.epoch, o.epoch), cmp.Compare(p.seq, o.seq)) < 0
}

// step makes one look.
func (w *catching) step(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	status, err := w.describe(ctx)
	if err != nil {
		return false, err
	}
	w.note(status)
	if !w.begun {
		w.begun, w.goal = true, position{status.Epoch, status.Seq + status.Lag}
	}
	for _, worker := range status.Workers {
		if worker.PausedUntil != nil {
			return false, fmt.Errorf("%w until %s: run 'replhub resume %s'", ErrPaused, worker.PausedUntil.Format(time.RFC3339), w.Service)
		}
	}
	if err := w.seeLane(ctx, status, time.Now()); err != nil {
		return false, err
	}
	return w.acknowledged(ctx, status)
}

// seeLane finds the lane's last sequence once everything up to the goal is in the lane,
// and has been for a while: a hub's position is ahead of the copies that are on their way
// to the stream, and goes back where they are lost.
func (w *catching) seeLane(ctx context.Context, status *contract.LaneStatus, now time.Time) error {
	switch {
	case !copied(status, w.goal):
		w.copied, w.last = time.Time{}, 0
		return nil
	case w.copied.IsZero():
		w.copied = now
		return nil
	case w.last > 0, now.Sub(w.copied) < settle:
		return nil
	}
	stream, err := w.js.Stream(ctx, subjects.LaneStream(w.Service))
	if err != nil {
		return fmt.Errorf("look up the lane: %w", err)
	}
	w.last = max(stream.CachedInfo().State.LastSeq, 1)
	return nil
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
func (w *catching) acknowledged(ctx context.Context, s *contract.LaneStatus) (bool, error) {
	all := w.last > 0 && (len(s.Workers) > 0 && s.WorkersLeftOut == 0 || s.Backlog == 0)
	for _, worker := range s.Workers {
		consumer, err := w.js.Consumer(ctx, subjects.LaneStream(w.Service), worker.Consumer)
		if err != nil {
			return false, fmt.Errorf("look up consumer %s: %w", worker.Consumer, err)
		}
		if !w.through(consumer.CachedInfo(), time.Now()) {
			all = false
		}
	}
	return all, nil
}

// through reports whether a consumer has nothing left of what the lane held: its floor is
// behind that, or it has had nothing to do for a while.
func (w *catching) through(info *jetstream.ConsumerInfo, now time.Time) bool {
	if info.NumPending > 0 || info.NumAckPending > 0 {
		delete(w.idle, info.Name)
		return w.last > 0 && info.AckFloor.Stream >= w.last
	}
	since, known := w.idle[info.Name]
	if !known {
		since, w.idle[info.Name] = now, now
	}
	return w.last > 0 && (info.AckFloor.Stream >= w.last || now.Sub(since) >= settle)
}

// note remembers when there was progress.
func (w *catching) note(s *contract.LaneStatus) {
	rows := uint64(0)
	if s.Fill != nil {
		rows = s.Fill.Rows
	}
	seen := fmt.Sprint(s.Epoch, s.Seq, s.Backlog, rows, s.State)
	if seen != w.seen {
		w.seen, w.moved, w.told = seen, time.Now(), false
	}
	if s.Fill != nil && s.Fill.Stalled != "" && time.Since(w.moved) > stuckAfter && !w.told {
		w.told = true
		w.Logger.Warn("the service does not catch up: the rows do not come", "service", w.Service.String(), "reason", OneLine(s.Fill.Stalled, maxDegradedText))
	}
}

// tellStuck says once that nothing moves.
func (w *catching) tellStuck() {
	if w.told || time.Since(w.moved) <= stuckAfter {
		return
	}
	w.told = true
	w.Logger.Warn("the service does not catch up: nothing has moved for a while; see 'replhub describe'", "service", w.Service.String(), "for", stuckAfter.String())
}

func (w *catching) describe(ctx context.Context) (*contract.LaneStatus, error) {
	m, err := w.Conn.RequestWithContext(ctx, subjects.Control(contract.VerbDescribe, w.Service), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the hub for the lane: %w", err)
	}
	if refusal := m.Header.Get(micro.ErrorHeader); refusal != "" {
		return nil, fmt.Errorf("ask the hub for the lane: %s", refusal)
	}
	status := new(contract.LaneStatus)
	if err := json.Unmarshal(m.Data, status); err != nil {
		return nil, fmt.Errorf("read the hub's answer: %w", err)
	}
	return status, nil
}
