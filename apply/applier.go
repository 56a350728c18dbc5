package apply

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/bridge"
)

// Keys of the log's attributes.
const (
	keyService = "service"
	keyEntity  = "entity"
	keyTable   = "table"
	keyErr     = "err"
)

// Applier is one instance of a service. New makes it; it runs once.
type Applier struct {
	cfg      Config
	log      *slog.Logger
	replicas []*replica

	db     *sql.DB
	target target
	inbox  *inbox.Inbox
	client *replhub.Client
	sub    atomic.Pointer[replhub.Subscriber]
	// changes and unsampled are what a dry run tells, see Summary.
	changes   []string
	unsampled string
	// lettersBefore counts the dead letters of the service at the begin.
	lettersBefore uint64
	// end ends the run with a cause.
	end context.CancelCauseFunc

	lane   atomic.Pointer[replhub.Status] // as it was last looked at
	looked atomic.Pointer[time.Time]

	mu      sync.Mutex // guards letters
	letters []Letter
}

// New checks a Config as far as that goes without its database and hub.
func New(cfg Config) (*Applier, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	a := &Applier{cfg: cfg, log: cfg.Logger}
	for _, t := range cfg.Tables {
		a.replicas = append(a.replicas, &replica{spec: t})
	}
	return a, nil
}

// Run makes an Applier and runs it.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	a, err := New(cfg)
	if err != nil {
		return Summary{}, err
	}
	return a.Run(ctx)
}

// Run applies until ctx ends, and then finishes the transactions under way. It ends by
// itself with [*FindingsError], with the errors of [replhub.Subscriber.Run], and under
// Config.Once when it has caught up: with nil, or a [*DeadLettersError].
func (a *Applier) Run(ctx context.Context) (Summary, error) {
	began := time.Now()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	a.end = end
	err := a.run(ctx)
	s := a.summary(began)
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, errCaughtUp) {
		err = a.verdict(s)
	}
	return s, err
}

// errCaughtUp ends a run with Once.
var errCaughtUp = errors.New("caught up")

func (a *Applier) run(ctx context.Context) error {
	var err error
	if a.db, a.target, err = a.cfg.openDatabase(); err != nil {
		return err
	}
	defer func() { _ = a.db.Close() }() // all transactions have ended
	a.inbox, err = inbox.New(inbox.Config{Dialect: a.target.dialect, Table: a.cfg.Inbox, Logger: a.log})
	if err != nil {
		return err
	}
	if err := a.preflight(ctx); err != nil {
		return err
	}
	if a.cfg.DryRun && a.allExist() {
		return nil
	}
	if a.client, err = replhub.Connect(ctx, a.cfg.NATS); err != nil {
		return err
	}
	defer a.client.Close()
	if a.cfg.DryRun {
		return a.dryRun(ctx)
	}
	return a.subscribe(ctx)
}

func (a *Applier) allExist() bool {
	for _, r := range a.replicas {
		if !r.exists() {
			return false
		}
	}
	return true
}

// subscribe registers and handles deliveries.
func (a *Applier) subscribe(ctx context.Context) error {
	registered, unregistered := a.register(ctx)
	if unregistered != nil && !a.mayGoOn(unregistered) {
		return unregistered
	}
	if unregistered != nil {
		a.log.Warn("no hub answers the registration; continuing with the registration in force", keyService, a.cfg.Service, keyErr, unregistered)
	}
	if !a.allExist() {
		if err := a.sample(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	sub, err := replhub.NewBatchSubscriber(a.client, replhub.SubscriberConfig{
		Workers: a.cfg.Workers, OnDead: a.dead, DrainTimeout: a.cfg.DrainTimeout,
	}, a)
	if err != nil {
		return err
	}
	a.sub.Store(sub)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := a.handleAll(ctx, sub, registered.Epoch)
		if errors.Is(err, replhub.ErrUnregistered) && unregistered != nil {
			return unregistered
		}
		return err
	})
	group.Go(func() error {
		a.watch(ctx)
		return nil
	})
	group.Go(func() error {
		select {
		case <-sub.Ready():
			a.log.Info("ready", keyService, a.cfg.Service, "database", a.target.name, "tables", len(a.replicas))
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

// handleAll runs the subscriber until ctx ends, or under Config.Once until the service has
// caught up. The looks at the lane end with it.
func (a *Applier) handleAll(ctx context.Context, sub *replhub.Subscriber, epoch uint64) error {
	defer a.end(nil)
	var once *bridge.CaughtUp
	if a.cfg.Once {
		once = &bridge.CaughtUp{Client: a.client, Epoch: epoch, Logger: a.log}
	}
	err := bridge.Subscribe(ctx, sub, once)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Cause(ctx))):
		return a.cause(ctx)
	case err == nil && a.cfg.Once:
		a.lookAt(ctx) // other instances may have made dead letters since
		a.end(errCaughtUp)
	}
	return err
}

// mayGoOn reports whether work on a lane that exists goes on though it could not be
// registered: without a hub, and not where the run needs the hub.
func (a *Applier) mayGoOn(err error) bool {
	_, found := errors.AsType[*FindingsError](err)
	_, refused := errors.AsType[*replhub.RefusedError](err)
	return !found && !refused && !a.cfg.Once && a.allExist()
}

// cause is why a run that ended well was to end; nil where that is no fault.
func (a *Applier) cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if f, ok := errors.AsType[*FindingsError](err); ok {
		return f
	}
	return nil
}

// watch looks at the lane for progress.
func (a *Applier) watch(ctx context.Context) {
	var p pace
	waits := "" // as it was last logged
	tick := time.NewTicker(a.cfg.look)
	defer tick.Stop()
	for {
		asked := time.Now()
		status := a.lookAt(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case status != nil:
			now := p.progress(asked, status, a.done(), a.sub.Load().State())
			if now.Waits != waits && now.Waits != "" && now.State != replhub.StateLive {
				a.log.Warn("nothing comes", keyService, a.cfg.Service, "state", now.State, "reason", now.Waits)
			}
			waits = now.Waits
			if a.cfg.OnProgress != nil {
				a.cfg.OnProgress(now)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAt looks at the lane; nil where the hub does not answer.
func (a *Applier) lookAt(ctx context.Context) *replhub.Status {
	asked := time.Now()
	status, err := a.client.Describe(ctx)
	if err != nil {
		a.log.Debug("look at the lane", keyErr, err)
		return nil
	}
	a.lane.Store(&status)
	a.looked.Store(&asked)
	return &status
}

// done counts what this instance has dealt with.
func (a *Applier) done() uint64 {
	var n uint64
	for _, r := range a.replicas {
		n += r.counts.applied.Load() + r.counts.stale.Load() + r.counts.duplicate.Load()
	}
	return n
}

// dead notes a dead letter.
func (a *Applier) dead(d *replhub.Delivery, cause error) {
	if r := a.replicaOf(d.Entity); r != nil {
		r.counts.dead.Add(1)
	}
	a.log.Warn("a change became a dead letter", keyService, a.cfg.Service, keyEntity, d.Entity, "key", d.Key, keyErr, cause)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.letters) < mostLetters {
		a.letters = append(a.letters, Letter{Entity: d.Entity, Key: d.Key, Error: fmt.Sprint(cause)})
	}
}

func (a *Applier) summary(began time.Time) Summary {
	s := Summary{Service: a.cfg.Service, Tables: a.tables(), Changes: a.changes, Unsampled: a.unsampled, Took: time.Since(began)}
	for _, t := range s.Tables {
		s.DeadLetters += t.DeadLetters
	}
	if last := a.lane.Load(); last != nil && last.DeadLetters > a.lettersBefore {
		// The hub and other instances store some as well.
		s.DeadLetters = max(s.DeadLetters, last.DeadLetters-a.lettersBefore)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Letters = a.letters
	return s
}

// verdict is the end of a run that has caught up.
func (a *Applier) verdict(s Summary) error {
	if s.DeadLetters == 0 {
		return nil
	}
	e := &DeadLettersError{Service: s.Service, Letters: s.DeadLetters}
	if len(s.Letters) > 0 {
		e.First = &s.Letters[0]
	}
	return e
}
