package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture/internal/engine"
	"github.com/replhub/replhub/capture/internal/source"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/pause"
)

// serveLook is the time between two looks whether this process captures.
const serveLook = 500 * time.Millisecond

// server serves rows while this process captures. A standby serves none: it does not
// know the version of a change.
type server struct {
	capture   *Capture
	client    *replhub.Client
	snapshots *source.Snapshots
	// lift is what versions have on top of their LSN; -1 while it is not known.
	lift atomic.Int64
}

// serve serves the rows of the captured tables until ctx ends.
func (c *Capture) serve(ctx context.Context) error {
	client, err := replhub.Connect(ctx, replhub.Config{Conn: c.cfg.Conn, Domain: c.cfg.Domain, Service: c.cfg.Service, WaitForHub: true, Logger: c.cfg.Logger})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer client.Close()
	s := &server{capture: c, client: client}
	s.lift.Store(-1)
	if s.snapshots, err = source.NewSnapshots(ctx, c.config, c.wanted.Selection, s.version); err != nil {
		return err
	}
	defer s.snapshots.Close()
	s.snapshots.Unfit, s.snapshots.Most = c.unfitRow, c.cfg.Conn.MaxPayload
	for ctx.Err() == nil {
		if c.engine.Status().State == engine.Capturing {
			if err := s.whileCapturing(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Logger.Warn("serve rows; trying again", "err", err)
			}
		}
		_ = pause.For(ctx, serveLook) // the loop sees the end of ctx
	}
	return nil
}

func (s *server) version(lsn uint64) (int64, bool) {
	lift := s.lift.Load()
	return int64(lsn) + lift, lift >= 0 // an LSN has 63 bits for longer than any disk lasts
}

// whileCapturing serves until this process no longer captures.
func (s *server) whileCapturing(ctx context.Context) error {
	if err := s.readLift(ctx); err != nil {
		return err
	}
	defer s.lift.Store(-1)
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop()
		_ = group.Wait() // each has told its error
	}()
	served := map[string]bool{}
	var looked time.Time
	for s.capture.engine.Status().State == engine.Capturing && ctx.Err() == nil {
		if time.Since(looked) < s.capture.cfg.WatchEvery {
			_ = pause.For(ctx, serveLook) // the loop sees the end of ctx
			continue
		}
		looked = time.Now()
		entities, err := s.snapshots.Entities(ctx)
		if err != nil {
			return err
		}
		for entity := range entities {
			if served[entity] {
				continue
			}
			served[entity] = true
			group.Go(func() error {
				return s.client.ServeRows(ctx, entity, replhub.Rows{All: s.snapshots.Func(entity), Of: s.snapshots.Lookup(entity), Count: s.snapshots.Count(entity)})
			})
		}
	}
	return nil
}

// readLift reads the lift from the record under which this process captures.
func (s *server) readLift(ctx context.Context) error {
	js, err := jsapi.Open(s.capture.cfg.Conn, s.capture.cfg.Domain)
	if err != nil {
		return err
	}
	log, err := captured.Open(ctx, captured.Config{JS: js, Entity: captured.Entity(s.capture.cfg.Slot)})
	if err != nil {
		return err
	}
	held, err := log.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the lift of versions: %w", err)
	}
	s.lift.Store(int64(held.Record.Lift)) // as version
	return nil
}
