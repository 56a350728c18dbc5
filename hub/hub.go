package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/console"
	"github.com/replhub/replhub/hub/internal/consumers"
	"github.com/replhub/replhub/hub/internal/control"
	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/erase"
	"github.com/replhub/replhub/hub/internal/httpapi"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/reconcile"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/registration"
	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/hub/internal/scrub"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Registry is the part of a registry that the hub uses; zkmap.Map and kvmap.Map
// implement it. All methods may be called concurrently.
type Registry interface {
	// Run keeps the registry's local copy until ctx ends.
	Run(ctx context.Context) error
	// Snapshot returns the newest snapshot; nil until the first complete load.
	Snapshot() *tree.Snapshot
	// Changed returns a channel that is closed when there is a newer snapshot than at
	// the time of the call. Take the channel first, then the snapshot.
	Changed() <-chan struct{}
	Get(ctx context.Context, path string) (tree.Entry, error)
	Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error)
	Delete(ctx context.Context, path string, expect tree.Version) error
	// Join keeps an ephemeral record for as long as Run runs.
	Join(path string, value []byte)
	Status() tree.Status
	// Alarms describes the records that were left out.
	Alarms() []string
}

// Hub is one hub. Call Run once.
type Hub struct {
	cfg      Config
	log      *slog.Logger
	nc       *nats.Conn
	hubs     *ownership.Hubs
	alarms   *alarm.Set
	book     *record.Book
	api      *httpapi.API
	console  *console.Console // nil without one
	ready    chan struct{}
	pressed  chan struct{} // ingest is nearly full
	troubles troubles
	// condition is the reported state of this hub, untrimmed the lanes that keep ingest
	// from being trimmed, looks the places of lanes that pin a full ingest.
	condition condition
	untrimmed untrimmed
	looks     looks

	// Set by open and discover, before anything else runs.
	js          jetstream.JetStream
	domain      string // JetStream's, by its own account
	started     time.Time
	fast        bool
	replicas    int
	ingest      *ingest.Ingest
	tail        *ingest.Tail
	deadLetters *deadletter.Queue
	rosters     *partition.Rosters
	appender    *lane.Appender
	lanes       *lanes.Set
	rooms       rooms
}

// rooms are the parts of a hub that work on its lanes; see doc.go.
type rooms struct {
	scrubber     *scrub.Scrubber
	consumers    *consumers.Watch
	policies     *policy.Enforcer
	registration *registration.Registrar
	reconciler   *reconcile.Reconciler
	verbs        *control.Verbs
	control      *control.Server
	report       *report.Reporter
	unavailable  *report.Unavailable
	eraser       *erase.Eraser
}

// New checks the configuration and makes a Hub. It does not use the network.
func New(cfg Config) (*Hub, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h := &Hub{
		cfg:     cfg,
		log:     cfg.Logger.With("hub", cfg.ID),
		nc:      cfg.Conn,
		ready:   make(chan struct{}),
		pressed: make(chan struct{}, 1),
	}
	h.troubles = newTroubles(h.log)
	h.condition.untrimmed = &h.untrimmed
	h.alarms = alarm.New(h.log)
	h.hubs = ownership.New(ownership.Config{Conn: cfg.Conn, Registry: cfg.Registry, ID: cfg.ID, Alone: cfg.OwnAll, Logger: h.log})
	h.book = record.NewBook(cfg.Registry, h.alarms, cfg.defaultLaneBytes(), h.log)
	api := httpapi.Config{
		Hub: cfg.ID, Version: cfg.Version, Ready: h.ready, Reporter: func() *report.Reporter { return h.rooms.report }, Token: cfg.HTTPToken,
		Proxies: cfg.HTTPProxies, Logger: h.log,
	}
	if cfg.Console.Mode != ConsoleOff {
		h.console = console.New(console.Config{
			Hub: cfg.ID, Mode: cfg.Console.Mode, HidePayloads: cfg.Console.HidePayloads, Publish: cfg.Console.Publish, Ready: h.ready,
			Source: h.consoleSource, Token: cfg.HTTPToken, Proxies: cfg.HTTPProxies, Logger: h.log, Every: cfg.Console.Every,
		})
		api.Console = h.console.Handler()
	}
	h.api = httpapi.New(api)
	return h, nil
}

// Ready returns a channel that is closed when the hub answers requests and copies
// events.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// Run opens the streams, takes up the lanes, and works until ctx ends; then it
// finishes the appends under way and returns nil.
func (h *Hub) Run(ctx context.Context) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	defer h.appender.Close()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.cfg.Registry.Run(ctx) })
	group.Go(func() error {
		if err := h.awaitRegistry(ctx); err != nil {
			return err
		}
		h.hubs.Enter(h.cfg.Version, h.started, h.cfg.Policy)
		if err := h.discover(ctx); err != nil {
			return err
		}
		group.Go(func() error { return h.tail.Run(ctx) })
		group.Go(func() error { return h.lanes.Run(ctx) })
		group.Go(func() error { return h.deadLetters.Run(ctx) })
		group.Go(func() error { return h.lanes.Follow(ctx) })
		group.Go(func() error { return h.rooms.reconciler.Run(ctx) })
		group.Go(func() error { return h.watchIngest(ctx) })
		group.Go(func() error { return h.watchHTTPFiles(ctx) })
		group.Go(func() error { return h.watchKept(ctx) })
		group.Go(func() error { return h.watchPlaces(ctx) })
		group.Go(func() error { return h.watchVersion(ctx) })
		group.Go(func() error { return h.watchAccount(ctx) })
		group.Go(func() error { return h.watchLayout(ctx) })
		group.Go(func() error { return h.rooms.consumers.Run(ctx) })
		group.Go(func() error { return h.rooms.scrubber.Run(ctx) })
		group.Go(func() error { return h.trimLanesOften(ctx) })
		group.Go(func() error { return h.trimIngestOften(ctx) })
		group.Go(func() error { return h.serveControl(ctx) })
		if h.console != nil {
			group.Go(func() error { return h.console.Run(ctx) })
		}
		return nil
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// open connects to JetStream and makes the streams that exist before any lane. It
// waits for a cluster that is still electing its leaders.
func (h *Hub) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.StartTimeout)
	defer cancel()
	retry := time.NewTicker(openRetry)
	defer retry.Stop()
	for {
		err := h.tryOpen(ctx)
		if !electing(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return err
		}
	}
}

const (
	// openRetry paces the attempts to open JetStream, openTry bounds one.
	openRetry = 200 * time.Millisecond
	openTry   = 5 * time.Second
	// peerOffline is how nats-server says that a stream needs more servers than are there
	// now (JSClusterNoPeersErrF, as it is for placements that never fit).
	peerOffline = "peer offline"
)

// electing reports whether an error means that a cluster has no leader, that it waits for
// servers that have just started, or that an answer was lost with a leader.
func electing(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code == 503 || strings.Contains(api.Description, peerOffline)) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

func (h *Hub) tryOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTry)
	defer cancel()
	return h.openStreams(ctx)
}

func (h *Hub) openStreams(ctx context.Context) error {
	if err := h.checkServer(ctx); err != nil {
		return err
	}
	// First what this JetStream shows: a foreign stream here also takes subjects, as
	// another installation's streams do.
	err := h.refuseForeign(ctx)
	if err != nil {
		return err
	}
	if err := h.refuseOthers(ctx); err != nil {
		return err
	}
	if h.replicas, err = h.chooseReplicas(ctx); err != nil {
		return err
	}
	// The advisories' stream exists before any consumer does, so that no
	// exhausted delivery goes unseen.
	h.deadLetters, err = deadletter.Open(ctx, deadletter.Config{
		JS: h.js, Replicas: h.replicas, MaxBytes: h.cfg.DLQMaxBytes, ServiceMaxBytes: h.cfg.DLQServiceMaxBytes, AuditEvery: h.cfg.TrimEvery, Logger: h.log,
		Owns: h.hubs.Owns, Report: h.alarms.StreamDeleted,
	})
	if err != nil {
		return err
	}
	h.ingest, err = ingest.Open(ctx, ingest.Config{
		JS: h.js, Replicas: h.replicas, MaxBytes: h.cfg.IngestMaxBytes, DedupeWindow: h.cfg.DedupeWindow, Fast: h.fast,
		WindowBytes: h.cfg.WindowBytes, TailPullBytes: h.cfg.MemoryBytes * tailPart / allParts / 3,
		Now: h.cfg.Now, Logger: h.log, Failpoint: h.cfg.Failpoint, Report: h.alarms.StreamDeleted,
	})
	if err != nil {
		return err
	}
	if err := h.ingest.SetAlone(ctx, h.domain, true); err != nil {
		return err
	}
	h.started = h.now() // records that this hub wrote before its start are older
	h.rosters = partition.New(partition.Config{
		JS: h.js, Replicas: h.replicas, Hub: h.cfg.ID, Room: func() int { return reply.Room(h.nc.MaxPayload()) }, Report: h.alarms.StreamDeleted, Logger: h.log,
	})
	if err := h.rosters.Open(ctx); err != nil {
		return err
	}
	kind, fast := lane.Atomic, h.fast && h.replicas == 1
	if fast {
		kind = lane.Fast
	}
	if h.appender, err = lane.NewAppender(h.js, kind); err != nil {
		return err
	}
	h.lanes = lanes.New(lanes.Config{JS: h.js, Conn: h.nc, Hubs: h.hubs, Alarms: h.alarms, Fast: fast, Logger: h.log})
	h.furnish()
	h.condition.dispatching.Store(true)
	return nil
}

// awaitRegistry makes a hub without lanes wait for the registry, because without it
// the hub knows no service. A hub with lanes dispatches from their states.
func (h *Hub) awaitRegistry(ctx context.Context) error {
	found, err := h.lanes.List(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, h.cfg.StartTimeout)
	defer cancel()
	for {
		// Take the channel first: it then announces any snapshot that comes after it.
		// In the other order, a snapshot between the two calls would be missed.
		changed := h.cfg.Registry.Changed()
		if h.cfg.Registry.Snapshot() != nil {
			return nil
		}
		select {
		case <-changed:
		case <-patience.Done():
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("registry (%s) is not reachable after %s and no lane exists from which the hub could continue: %s; start the registry, or correct its address",
				h.cfg.RegistryKind, h.cfg.StartTimeout, h.cfg.Registry.Status().Err)
		}
	}
}

// discover takes up the lanes that exist and starts the tail near where they
// stand.
func (h *Hub) discover(ctx context.Context) error {
	found, err := h.lanes.List(ctx)
	if err != nil {
		return err
	}
	at, err := h.lanes.StartOfTail(ctx, h.ingest, found)
	if err != nil {
		return err
	}
	h.tail = h.ingest.NewTail(at)
	h.lanes.Use(lane.NewEnv(lane.Env{
		JS: h.js, Ingest: h.ingest, Tail: h.tail, Appender: h.appender, DeadLetters: h.deadLetters, Hold: h.deadLetters.Hold, Prove: h.deadLetters.Prove,
		Memory: h.cfg.MemoryBytes * lanesPart / allParts, Hub: h.cfg.ID, Log: h.log, Failpoint: h.cfg.Failpoint, Traced: h.cfg.Traced,
		Recorded: h.recordedState, OnHeld: h.lanes.TellHeld,
	}))
	h.hubs.Refresh(ctx, found)
	for _, service := range found {
		h.lanes.Add(service)
	}
	return nil
}

// errNoSnapshot means that a lane lost its state record while the registry is not
// read yet.
var errNoSnapshot = errors.New("the lane's state record is gone, and the interests of its service are not known before the registry is read")

// recordedState returns what the registry and the consumers say of a service whose
// lane lost its state record. A hub that has just started waits for the registry.
func (h *Hub) recordedState(ctx context.Context, service subjects.Name) (lane.State, error) {
	if h.book.Snapshot() == nil && time.Since(h.started) < h.cfg.StartTimeout {
		return lane.State{}, errNoSnapshot
	}
	return h.book.State(ctx, h.js, service), nil
}
