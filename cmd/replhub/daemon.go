package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/wire"
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

// errDrain: a stop took too long. Nothing is lost by it: what was under way is
// read again and decided by the next start.
var errDrain = errors.New("did not stop in time")

// run runs until ctx ends, and then until what is under way is finished, at
// most for d.drain: after an error of errDrain the hub still runs, and the
// process must end. It calls ready when the hub works.
func (d daemon) run(ctx context.Context, ready func()) error {
	h, err := hub.New(d.cfg)
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	web := make(chan error, 1)
	webCtx, stopWeb := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWeb()
	go func() { web <- h.ServeHTTP(webCtx, d.listener) }()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(work) }()

	err = d.await(ctx, h, ended, web, ready)
	stop()
	patience := time.NewTimer(d.drain)
	defer patience.Stop()
	if !errors.Is(err, errEnded) {
		select {
		case stopped := <-ended:
			err = errors.Join(err, stopped)
		case <-patience.C:
			return errors.Join(err, fmt.Errorf("drain: hub %s %w (%s): it is ended as it is; nothing acknowledged is lost", d.cfg.ID, errDrain, d.drain))
		}
	}
	// HTTP outlasts the hub, so that probes see it stop.
	stopWeb()
	if !errors.Is(err, errWebEnded) {
		err = errors.Join(err, <-web)
	}
	return err
}
