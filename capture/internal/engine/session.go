package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/captured"
)

// closeTime bounds the end of a connection in good order.
const closeTime = time.Second

// session captures over one replication connection, until something is in doubt. It
// reports whether changes could be stored.
//
// The order of its steps matters. The lock comes first, so that of several processes one
// alone goes on. The claim fences the process that had the lock before, which may be
// frozen, and finds out what is stored. Only then the stream begins.
func (e *Engine) session(ctx context.Context) (capturing bool, err error) {
	e.counts.Sessions.Add(1)
	conn, err := pgconn.ConnectConfig(ctx, replicating(e.cfg.Database, e.cfg.SenderTimeout))
	if err != nil {
		return false, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = conn.Close(ctx) // a stream that took the connection closes it
	}()
	if err := e.awaitLock(ctx, conn); err != nil {
		return false, err
	}
	log, err := e.openLog(ctx)
	if err != nil {
		return false, err
	}
	begun, err := e.claim(ctx, conn, log)
	if err != nil {
		return false, err
	}
	return e.capture(ctx, conn, log, begun)
}

func (e *Engine) openLog(ctx context.Context) (*captured.Log, error) {
	log, err := captured.Open(ctx, captured.Config{
		JS: e.cfg.JS, Entity: captured.Entity(e.cfg.Slot), Writer: e.cfg.Writer, Service: e.cfg.Service, Patience: e.cfg.Patience,
	})
	return log, classed(err)
}

// awaitLock waits until no other process captures the slot.
func (e *Engine) awaitLock(ctx context.Context, conn *pgconn.PgConn) error {
	for {
		held, err := lock(ctx, conn, e.cfg.Slot)
		if err != nil || held {
			return err
		}
		if e.status.enter(Standby, None, nil) {
			e.cfg.Logger.Info("another process captures this slot: standing by", "slot", e.cfg.Slot)
		}
		pause(ctx, e.cfg.StandbyEvery)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// begun is where a session begins.
type begun struct {
	held   captured.Held
	stored captured.Position
	// confirmed is where the slot stands.
	confirmed captured.LSN
}

// from is the LSN from which the slot has to send: no change before it is missing, and no
// row of an outbox whose event is stored is there. If the slot stands further back, it
// begins with the last transaction that is known, which proves the log. The server sends
// every transaction whose commit is at that LSN or behind it; what is stored of them is
// skipped.
func (b begun) from() captured.LSN {
	r := b.held.Record
	from := r.Confirm
	if r.Last != nil {
		from = min(from, r.Last.Commit)
	} else if b.stored.Change > 0 {
		from = min(from, b.stored.Commit)
	}
	return max(from, b.confirmed)
}

// proof is what has to come before the slot may be confirmed.
func (b begun) proof() proof { return newProof(b.held.Record, b.stored, b.from()) }

// claim fences earlier writers, and makes sure that nothing is missing between what
// ingest has and what the slot will send.
func (e *Engine) claim(ctx context.Context, conn *pgconn.PgConn, log *captured.Log) (begun, error) {
	s, err := look(ctx, conn, e.cfg.Slot)
	if err != nil {
		return begun{}, err
	}
	if err := s.usable(); err != nil {
		return begun{}, err
	}
	held, stored, err := log.Claim(ctx)
	if errors.Is(err, captured.ErrNone) {
		return e.first(ctx, log, s)
	}
	if err != nil {
		return begun{}, classed(err)
	}
	branched, err := branchedAt(ctx, conn, s.timeline, held.Record.Timeline)
	if err != nil {
		return begun{}, err
	}
	if err := s.origin(held.Record, stored, branched); err != nil {
		return begun{}, noteWentBack(ctx, log, held, err)
	}
	if e.cfg.Dismiss && !e.dismissed {
		if held, err = dismiss(ctx, log, held); err != nil {
			return begun{}, err
		}
		e.dismissed = true
	}
	held.Record.Timeline = s.timeline // of the next record
	return begun{held, stored, s.confirmed}, nil
}

// noteWentBack writes down that a database went back: at a later start it may have caught
// up, with other changes at the places of those that are stored. It returns the problem;
// an error of the record is tried again.
func noteWentBack(ctx context.Context, log *captured.Log, held captured.Held, problem error) error {
	if ProblemOf(problem) != WentBack || held.Record.WentBack {
		return problem
	}
	next := held.Record
	next.ID, next.WentBack = captured.NewID(), true
	if _, err := log.Write(ctx, next, held.Seq); err != nil {
		return classed(err)
	}
	return problem
}

// dismiss clears the alarms of a record.
func dismiss(ctx context.Context, log *captured.Log, held captured.Held) (captured.Held, error) {
	next := held.Record
	next.ID, next.Truncated, next.LeftOut, next.Altered = captured.NewID(), nil, nil, nil
	held, err := log.Write(ctx, next, held.Seq)
	return held, classed(err)
}

// first begins a capture of which ingest has no record: where the slot stands.
func (e *Engine) first(ctx context.Context, log *captured.Log, s slot) (begun, error) {
	held, err := log.Write(ctx, captured.Record{
		ID: captured.NewID(), Writer: e.cfg.Writer, System: s.system, Timeline: s.timeline, Confirm: s.confirmed,
	}, 0)
	if err != nil {
		return begun{}, classed(err)
	}
	e.cfg.Logger.Info("capture begins", "slot", s.name, "lsn", s.confirmed.String())
	return begun{held: held, confirmed: s.confirmed}, nil
}

// capture streams changes into ingest.
func (e *Engine) capture(ctx context.Context, conn *pgconn.PgConn, log *captured.Log, at begun) (bool, error) {
	stream, err := startStream(ctx, conn, e.cfg.Slot, e.cfg.Publication, at.from())
	if err != nil {
		return false, streamProblem(err)
	}
	defer stream.close()
	batches, err := newBatches(e.cfg.JS.Conn())
	if err != nil {
		return false, classed(err)
	}
	defer batches.close()
	rows := &lookups{config: reading(e.cfg.Database)}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		rows.close(ctx)
	}()
	w := e.writer(log, batches, at)
	removing := &lookups{config: reading(e.cfg.Database)}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		removing.close(ctx)
	}()
	w.remove = removing.remove
	e.connect(stream, w, rows, at)
	if e.status.enter(Capturing, None, nil) {
		e.cfg.Logger.Info("capturing", "slot", e.cfg.Slot, "from", at.from().String(), "stored", at.stored.Commit.String())
	}
	parent := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return streamProblem(stream.run(ctx)) })
	group.Go(func() error { return w.run(ctx) })
	if err = group.Wait(); ProblemOf(err) == WentBack {
		return true, noteWentBack(context.WithoutCancel(parent), log, w.held, err)
	}
	return true, err
}

func (e *Engine) writer(log *captured.Log, batches *batches, at begun) *writer {
	w := &writer{
		log: log, tell: e.tell, described: &e.described, queue: newQueue(), counts: &e.counts, status: &e.status, confirmed: &e.confirmed,
		appender: &appender{
			nc: e.cfg.JS.Conn(), how: howTo(log.Stream()), origin: e.cfg.Service,
			entity: log.Entity(), subject: log.Subject(), batches: batches, patience: e.cfg.Patience,
			bulk: log.Stream().AllowAtomicPublish, maxMsgSize: log.Stream().MaxMsgSize,
		},
		recordEvery: e.cfg.RecordEvery, stored: at.stored, sent: at.stored, done: at.held.Record.Confirm, reached: at.held.Record.Confirm,
		cleaned: at.held.Record.Confirm, logger: e.cfg.Logger,
	}
	w.hold(at.held)
	return w
}

// connect makes the stream decode into the writer's queue.
func (e *Engine) connect(s *stream, w *writer, rows *lookups, at begun) {
	s.start = at.confirmed
	s.queue, s.confirmed, s.status, s.replyEvery = w.queue, w.confirmed, &e.status, e.cfg.RecordEvery
	s.decoder = &decoder{
		tables: e.cfg.Tables, rows: rows, log: e.cfg.Logger, counts: &e.counts,
		proof: at.proof(), described: &e.described,
		lift: at.held.Record.Lift, stored: at.stored, outbox: e.cfg.prefix(),
		emit:      w.queue.putEvent,
		finish:    w.queue.done,
		spend:     func(gone *spent) { w.queue.put(item{spent: gone}) },
		alarm:     func(a alarm) { w.queue.put(item{alarm: &a}) },
		relations: make(map[uint32]*relation),
	}
}

// streamProblem gives an error of the stream its class.
func streamProblem(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Code == "42704" && strings.Contains(refused.Message, "publication"):
		return problemf(Refused, "%w: create it again, with the tables that it had", err)
	case refused.Code == "42704": // undefined object
		return problemf(SlotMissing, "%w: %s", err, resyncHint)
	case refused.Code == "55000": // object not in prerequisite state
		return problemf(SlotLost, "%w: %s", err, resyncHint)
	}
	return err
}
