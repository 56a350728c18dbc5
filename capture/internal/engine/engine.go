package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
)

// Config is what an engine needs. Database, JS, Slot, Publication and Tables have no
// default.
type Config struct {
	// Database is where the slot is: the primary server, without a pooler in between.
	Database *pgx.ConnConfig
	JS       jetstream.JetStream
	// Slot and Publication exist already.
	Slot, Publication string
	Tables            change.Tables
	// Service is the origin of the events; none by default.
	Service string
	// NoEmitted leaves the messages out that transactions write into the log as events
	// (contract.PrefixEmitted).
	NoEmitted bool
	// Dismiss clears the alarms that the record has from before: tables that were truncated,
	// and changes that were left out.
	Dismiss bool
	// Writer names this process in records, for people; host and process id by default.
	Writer string
	// RetryMin and RetryMax bound the time between two attempts while something is
	// unavailable; 100 ms and 5 s by default.
	RetryMin, RetryMax time.Duration
	// StandbyEvery is the time between two looks of a standby; 500 ms by default.
	StandbyEvery time.Duration
	// SenderTimeout is when the server gives up a connection without replies: a process
	// that is frozen, or a machine that is gone, frees the slot after that; 10 s by
	// default.
	SenderTimeout time.Duration
	// RecordEvery is the shortest time between two records while changes are stored, and
	// the longest between two replies to the server; 1 s by default.
	RecordEvery time.Duration
	// Patience is how long ingest may take for an answer, before it is read back what is
	// stored; 5 s by default.
	Patience time.Duration
	// OnResync is called with the number of rows that a resync has stored, after each
	// batch; nothing by default.
	OnResync func(rows uint64)
	// Logger gets the messages for operators; slog.Default by default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 5*time.Second)
	c.StandbyEvery = cmp.Or(c.StandbyEvery, 500*time.Millisecond)
	c.SenderTimeout = cmp.Or(c.SenderTimeout, 10*time.Second)
	c.RecordEvery = cmp.Or(c.RecordEvery, time.Second)
	c.Patience = cmp.Or(c.Patience, 5*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Writer == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		c.Writer = fmt.Sprintf("%s:%d", host, os.Getpid())
	}
	return c
}

// Engine captures one slot.
type Engine struct {
	// confirmed is how far the slot may be confirmed.
	confirmed atomic.Uint64

	cfg    Config
	counts Counts
	status status
	// described outlasts sessions.
	described descriptions
	// dismissed says that the alarms of before are cleared. Run alone uses it.
	dismissed bool
}

// New makes an engine; Run runs it.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg.withDefaults()}
	e.status.now = Status{State: Starting, Since: time.Now()}
	return e
}

// Status is how the engine fares. It may be called concurrently.
func (e *Engine) Status() Status { return e.status.read() }

// Counts are what the engine did. They may be read concurrently.
func (e *Engine) Counts() *Counts { return &e.counts }

// Run captures until ctx ends, and then returns nil. What is unavailable is waited for.
// What waiting does not mend is an error that says what to do.
func (e *Engine) Run(ctx context.Context) error {
	wait := e.cfg.RetryMin
	for ctx.Err() == nil {
		captured, err := e.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if captured {
			wait = e.cfg.RetryMin
		}
		problem := e.failed(err)
		if problem.lasting() {
			return err
		}
		pause(ctx, wait)
		wait = min(2*wait, e.cfg.RetryMax)
	}
	e.status.enter(Stopped, None, nil)
	return nil
}

// failed notes the end of a session, with one line for each episode of trouble.
func (e *Engine) failed(err error) Problem {
	if errors.Is(err, captured.ErrFenced) {
		// Another process, or the hub that renews an old record, has written a record.
		e.counts.Doubts.Add(1)
		e.status.enter(Waiting, None, err)
		e.cfg.Logger.Debug("capture begins again", "slot", e.cfg.Slot, "err", err)
		return None
	}
	problem := ProblemOf(err)
	state := Waiting
	if problem.lasting() {
		state = Stopped
	}
	if e.status.enter(state, problem, err) {
		e.cfg.Logger.Error("capture cannot go on", "slot", e.cfg.Slot, "reason", string(problem), "err", err)
	}
	return problem
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// prefix is the prefix of messages in the log that are events.
func (c Config) prefix() string {
	if c.NoEmitted {
		return ""
	}
	return contract.PrefixEmitted
}
