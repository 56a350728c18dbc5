package hub

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/replhub/replhub/hub/internal/console"
	"github.com/replhub/replhub/hub/internal/consumers"
	"github.com/replhub/replhub/hub/internal/control"
	"github.com/replhub/replhub/hub/internal/erase"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/reconcile"
	"github.com/replhub/replhub/hub/internal/registration"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/hub/internal/scrub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// furnish makes the rooms; each depends on those before it.
func (h *Hub) furnish() {
	lacking, unavailable := new(lanes.Lacking), report.NewUnavailable()
	scrubber := scrub.New(scrub.Config{
		JS: h.js, Lanes: h.lanes, Letters: h.hubs.TrimsIngest, Now: h.now, Detached: h.tellDetached, Every: h.cfg.ScrubEvery, Logger: h.log,
	})
	watch := consumers.New(consumers.Config{
		JS: h.js, Hubs: h.hubs, Lanes: h.lanes, Lacking: lacking, DeadLetters: h.deadLetters,
		Now: h.now, Started: h.started, Every: h.cfg.TrimEvery, StuckAfter: h.cfg.StuckAfter, Stood: scrubber.Stood, Logger: h.log,
	})
	policies := policy.New(policy.Config{
		Conn: h.nc, Ingest: h.ingest, Hubs: h.hubs, Lanes: h.lanes, Book: h.book, DeadLetters: h.deadLetters, Alarms: h.alarms,
		Required: h.cfg.Policy == PolicyRequired, Failpoint: h.cfg.Failpoint, Logger: h.log,
	})
	registrar := registration.New(registration.Config{
		JS: h.js, Conn: h.nc, Replicas: h.replicas, Ingest: h.ingest, Appender: h.appender, Hubs: h.hubs, Lanes: h.lanes, Watch: watch,
		MaxLanes: h.cfg.MaxLanes, MaxLaneBytes: h.cfg.MaxLaneBytes, MaxRegistrations: h.cfg.MaxRegistrations,
		Book: h.book, DeadLetters: h.deadLetters, Rosters: h.rosters, Policies: policies, Started: h.started, Failpoint: h.cfg.Failpoint, Logger: h.log,
	})
	h.rooms = rooms{
		scrubber:     scrubber,
		consumers:    watch,
		policies:     policies,
		registration: registrar,
		reconciler: reconcile.New(reconcile.Config{
			Book: h.book, Registration: registrar, Hubs: h.hubs, Lanes: h.lanes, Lacking: lacking, Policies: policies, Alarms: h.alarms, Logger: h.log,
		}),
		verbs: control.NewVerbs(control.VerbsConfig{
			JS: h.js, Conn: h.nc, Ingest: h.ingest, Lanes: h.lanes, DeadLetters: h.deadLetters, Rosters: h.rosters, Policies: policies, Failpoint: h.cfg.Failpoint, Logger: h.log,
		}),
		report: report.New(report.Config{
			JS: h.js, Conn: h.nc, Ingest: h.ingest, Hubs: h.hubs, Lanes: h.lanes, Lacking: lacking, Watch: watch, DeadLetters: h.deadLetters,
			Rosters: h.rosters, Unavailable: unavailable, Alarms: h.alarms, Registry: h.cfg.Registry, Hub: &h.condition, Damaged: scrubber.Texts, Kept: h.kept(),
			RegistryKind: h.cfg.RegistryKind, Version: h.cfg.Version, Started: h.started, IngestMaxBytes: h.cfg.IngestMaxBytes, Logger: h.log,
		}),
		unavailable: unavailable,
		eraser: erase.New(erase.Config{
			JS: h.js, Conn: h.nc, Ingest: h.ingest, Lanes: h.lanes, DeadLetters: h.deadLetters, Fence: h.renew, Hub: h.cfg.ID,
			Failpoint: h.cfg.Failpoint, Logger: h.log,
		}),
	}
	h.rooms.control = control.NewServer(control.Config{
		Conn: h.nc, Hubs: h.hubs, Verbs: h.verbs(), Version: h.cfg.Version, StartTimeout: h.cfg.StartTimeout, Disk: h.condition.Disk, Logger: h.log,
	})
}

// consoleSource is what the console shows, once the hub is ready.
func (h *Hub) consoleSource() console.Source {
	return console.Source{
		Ask: h.rooms.control.Ask, Report: h.rooms.report, Ingest: h.ingest, Lanes: h.lanes, DeadLetters: h.deadLetters, JS: h.js,
		End: func() uint64 { return h.tail.End().Seq },
	}
}

// verbs returns all control verbs.
func (h *Hub) verbs() map[string]control.Verb {
	r := &h.rooms
	return map[string]control.Verb{
		contract.VerbRegister:   {Service: true, Owner: true, Do: control.Handle(r.registration.Register)},
		contract.VerbUnregister: {Service: true, Owner: true, Do: control.Handle(r.registration.Unregister)},
		contract.VerbDrop:       {Service: true, Owner: true, Do: control.Handle(h.doDrop)},
		contract.VerbPause:      {Service: true, Do: control.Handle(r.verbs.Pause)},
		contract.VerbResume:     {Service: true, Do: control.Handle(r.verbs.Resume)},
		contract.VerbRewind:     {Service: true, Owner: true, Do: control.Handle(r.verbs.Rewind)},
		contract.VerbBackfill:   {Service: true, Owner: true, Do: control.Handle(r.verbs.Backfill)},
		contract.VerbDigest:     {Service: true, Owner: true, Patience: control.DigestPatience, Do: control.Handle(r.verbs.Digest)},
		contract.VerbDescribe:   {Service: true, Owner: true, Do: control.Handle(r.report.Describe)},
		contract.VerbExplain:    {Service: true, Do: control.Handle(r.report.Explain)},
		contract.VerbRedrive:    {Service: true, Owner: true, Do: control.Handle(r.verbs.Redrive)},
		contract.VerbJoin:       {Service: true, Owner: true, Patience: control.JoinPatience, Do: control.Handle(r.verbs.Join)},
		contract.VerbLetter:     {Service: true, Owner: true, Do: control.Handle(r.verbs.Letter)},
		contract.VerbPolicy:     {Entity: true, Do: control.Handle(r.policies.Set)},
		contract.VerbPolicies:   {Do: control.Handle(r.policies.List)},
		contract.VerbServices:   {Do: control.Handle(r.report.Services)},
		contract.VerbWho:        {Do: control.Handle(r.report.Who)},
		contract.VerbStatus: {Do: control.Handle(func(ctx context.Context, _ subjects.Name, _ control.None) (any, error) {
			return r.report.Status(ctx)
		})},
		policy.VerbApply:   {Service: true, Internal: true, Do: control.Handle(r.policies.Apply)},
		contract.VerbErase: {Do: control.Handle(r.eraser.Erase)},
		verbRenew:          {Service: true, Internal: true, Do: control.Handle(h.doRenew)},
		verbDetach:         {Service: true, Internal: true, Do: control.Handle(h.doDetach)},
		report.VerbCount: {Internal: true, Do: control.Handle(func(ctx context.Context, _ subjects.Name, _ control.None) (any, error) {
			return r.report.CountOwn(ctx)
		})},
	}
}

// doDrop drops a lane, or gives up one that nobody can read.
func (h *Hub) doDrop(ctx context.Context, service subjects.Name, req contract.Drop) (any, error) {
	if req.Lost {
		return h.dropLost(ctx, service)
	}
	return h.rooms.registration.Drop(ctx, service)
}

// serveControl answers requests until ctx ends.
func (h *Hub) serveControl(ctx context.Context) error {
	told, err := h.nc.Subscribe(contract.SubjectUnavailable+"*", h.rooms.unavailable.Hear)
	if err != nil {
		return fmt.Errorf("hear of outages: %w", err)
	}
	defer func() {
		_ = told.Unsubscribe() // fails only where the connection is closed, which also ends the subscription
	}()
	return h.rooms.control.Serve(ctx, h.ready)
}

// Handler answers /healthz, /readyz, /metrics and the console; it may be used before Run. If a
// request's context has ended, /readyz says that the hub stops: use the context of
// Run as the server's BaseContext.
func (h *Hub) Handler() http.Handler { return h.api.Handler() }

// ServeHTTP serves Handler on a listener until ctx ends, and closes it. Once run, the
// context of Run, has ended, /readyz says so.
func (h *Hub) ServeHTTP(ctx, run context.Context, listener net.Listener) error {
	return h.api.Serve(ctx, run, listener)
}
