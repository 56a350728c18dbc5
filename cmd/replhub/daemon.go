package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// daemon is a hub with its HTTP, as serve and dev run it.
type daemon struct {
	cfg      hub.Config
	listener net.Listener
	// lost gets the reason when the connection to NATS is closed for good.
	lost <-chan error
	// drain bounds a stop.
	drain time.Duration
}

// errDrain means that a stop took too long. The hub then still runs, and the process
// must end.
var errDrain = errors.New("did not stop in time")

// run runs until ctx ends or a part fails, and then until the work under way is
// finished, at most for d.drain. It calls ready once when the hub works.
func (d daemon) run(ctx context.Context, ready func()) error {
	h, err := hub.New(d.cfg)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	// HTTP outlasts the hub, so that probes see it stop.
	web, stopWeb := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return h.ServeHTTP(web, ctx, d.listener) })
	group.Go(func() error {
		defer stopWeb()
		return h.Run(ctx)
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.lost:
			return err
		}
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-h.Ready():
			ready()
		}
		return nil
	})
	return d.await(ctx, group)
}

// await waits for the group, with patience from the moment it has to stop.
func (d daemon) await(ctx context.Context, group *errgroup.Group) error {
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	<-ctx.Done()
	patience := time.NewTimer(d.drain)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
	}
	late := fmt.Errorf("drain: hub %s %w (%s); the next start continues its unfinished work", d.cfg.ID, errDrain, d.drain)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, late)
	}
	return late
}

// The server's codes for a stream that is to reserve more than the disk or the
// account has, and for a stream too many.
const (
	codeNoStorage        jetstream.ErrorCode = 10047
	codeNoAccountStorage jetstream.ErrorCode = 10028
	codeNoStreamStorage  jetstream.ErrorCode = 10122
	codeNoStream         jetstream.ErrorCode = 10027
)

// explainStart says what to do about a start that NATS refused because the streams
// do not fit.
func explainStart(err error, advice string) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return err
	}
	switch api.ErrorCode { //nolint:exhaustive // the others need no advice
	case codeNoStorage, codeNoAccountStorage:
		return fmt.Errorf("%w; %s", err, advice)
	case codeNoStreamStorage:
		return fmt.Errorf("%w; raise disk_max_stream_bytes of the account (the hub needs 64 MiB at least), or lower %s and %s", err, contract.EnvIngestMaxBytes, contract.EnvDLQMaxBytes)
	case codeNoStream:
		return fmt.Errorf("%w; raise max_streams of the account: the hub needs six, and one for each service", err)
	}
	return err
}

// serveSpace is what to do where the streams do not fit a server of one's own.
const serveSpace = "give JetStream more space, or lower " + contract.EnvIngestMaxBytes + " and " + contract.EnvDLQMaxBytes

// devSpace is what to do where they do not fit the folder of replhub dev.
func devSpace(dir string, free int64) string {
	return fmt.Sprintf("the streams in %s reserve up to %s and its disk has %s free: free space, or name a folder on another disk with --store-dir",
		dir, humanBytes(int64(devNeeds)), humanBytes(free))
}

func randomHubID() string { return "hub-" + nuid.New().Next()[:8] }
