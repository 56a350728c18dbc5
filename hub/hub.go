package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// Registry is what the hub needs of a registry; zkmap.Map and kvmap.Map are
// registries. All methods may be called concurrently.
type Registry interface {
	// Run keeps the registry's local copy until ctx ends.
	Run(ctx context.Context) error
	// Snapshot is nil until the first complete load.
	Snapshot() *tree.Snapshot
	// Changed is closed when there is a newer snapshot than at the time of the call.
	// Take the channel first, then the snapshot.
	Changed() <-chan struct{}
	Get(ctx context.Context, path string) (tree.Entry, error)
	Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error)
	Delete(ctx context.Context, path string, expect tree.Version) error
	// Join keeps an ephemeral record for as long as Run runs.
	Join(path string, value []byte)
	Status() tree.Status
	// Alarms are records that were left out, in words.
	Alarms() []string
}

// Hub is one hub process. Run it once.
type Hub struct {
	cfg      Config
	log      *slog.Logger
	nc       *nats.Conn
	js       jetstream.JetStream
	started  time.Time
	fast     bool
	replicas int

	// Set by open, before anything else runs.
	ingest   *ingest.Ingest
	tail     *ingest.Tail
	letters  *deadletter.Office
	rosters  *hubstream.Kept
	joins    *joins
	away     *away
	lacking  lacking
	appender *lane.Appender
	env      *lane.Env
	lanes    *lanes

	members  atomic.Pointer[[]string]
	alarms   alarms
	recorded recorded
	dropped  droppedLanes
	troubles troubles
	// diskTrouble is why nats-server stores nothing, fullIngest what is known of an
	// ingest that is nearly full; nil without trouble.
	diskTrouble atomic.Pointer[string]
	fullIngest  atomic.Pointer[contract.IngestFull]
	ready       chan struct{}
	pressed     chan struct{} // ingest is nearly full
	unknown     unknownLanes
	looks       looks
	// unreconciled holds a token when a lane was found to be gone.
	unreconciled chan struct{}
	// dispatching is false while ingest cannot be reached.
	dispatching atomic.Bool
}

// New checks the configuration.
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

		unreconciled: make(chan struct{}, 1),
	}
	h.joins = newJoins(h)
	h.away = newAway()
	h.troubles = newTroubles(h.log)
	h.members.Store(&[]string{cfg.ID})
	return h, nil
}

// Ready is closed when the hub answers requests and copies events.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// Run is the hub's life: it opens the streams, takes up the lanes, and works
// until ctx ends; then it finishes the appends under way and returns nil.
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
		h.cfg.Registry.Join(hubPath(h.cfg.ID), memberRecord(h.cfg.Version, h.started))
		if err := h.discover(ctx); err != nil {
			return err
		}
		group.Go(func() error { return h.tail.Run(ctx) })
		group.Go(func() error { return h.lanes.run(ctx) })
		group.Go(func() error { return h.letters.Run(ctx) })
		group.Go(func() error { return h.watchOwners(ctx) })
		group.Go(func() error { return h.watchRegistry(ctx) })
		group.Go(func() error { return h.watchIngest(ctx) })
		group.Go(func() error { return h.watchKept(ctx) })
		group.Go(func() error { return h.watchWorkers(ctx) })
		group.Go(func() error { return h.trimLanesOften(ctx) })
		group.Go(func() error { return h.trimIngestOften(ctx) })
		group.Go(func() error { return h.serveControl(ctx) })
		return nil
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// open connects to JetStream and makes the streams that exist before any lane.
// A cluster that is still electing its leaders is waited for.
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
)

// electing reports whether an error is that of a cluster without a leader, or
// with one that took an answer with it.
func electing(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.Code == 503 || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrNoStreamResponse)
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
	err := h.refuseForeign(ctx)
	if err != nil {
		return err
	}
	if h.replicas, err = h.chooseReplicas(ctx); err != nil {
		return err
	}
	// The advisories' stream exists before any consumer does, so that no
	// exhausted delivery goes unseen.
	h.letters, err = deadletter.Open(ctx, deadletter.Config{
		JS: h.js, Replicas: h.replicas, MaxBytes: h.cfg.DLQMaxBytes, ServiceMaxBytes: h.cfg.DLQServiceMaxBytes, AuditEvery: h.cfg.TrimEvery, Logger: h.log,
		Owns: func(service subjects.Name) bool { return h.ownerOf(service) == h.cfg.ID }, Report: h.reportDeleted,
	})
	if err != nil {
		return err
	}
	h.ingest, err = ingest.Open(ctx, ingest.Config{
		JS: h.js, Replicas: h.replicas, MaxBytes: h.cfg.IngestMaxBytes, DedupeWindow: h.cfg.DedupeWindow,
		WindowBytes: h.cfg.WindowBytes, TailPullBytes: h.cfg.MemoryBytes * tailPart / allParts / 3,
		Now: h.cfg.Now, Logger: h.log, Failpoint: h.cfg.Failpoint, Report: h.reportDeleted,
	})
	if err != nil {
		return err
	}
	h.started = h.now() // of this hub's last records the ones from before are older
	if err := h.openRosters(ctx); err != nil {
		return err
	}
	kind := lane.Atomic
	if h.fast && h.replicas == 1 {
		kind = lane.Fast
	}
	if h.appender, err = lane.NewAppender(h.js, kind); err != nil {
		return err
	}
	h.dispatching.Store(true)
	return nil
}

// awaitRegistry lets a hub without lanes wait for the registry: it would not
// know of anybody. A hub with lanes dispatches from their states.
func (h *Hub) awaitRegistry(ctx context.Context) error {
	found, err := h.listLanes(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, h.cfg.StartTimeout)
	defer cancel()
	for {
		// The channel first: a snapshot that comes after it is told by it. A registry
		// that is quiet afterwards tells of no other.
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
			return fmt.Errorf("registry (%s) is not reachable after %s and no lane exists to go on from: %s; start it, or correct its address",
				h.cfg.RegistryKind, h.cfg.StartTimeout, h.cfg.Registry.Status().Err)
		}
	}
}

// discover takes up the lanes that exist and starts the tail near where they
// stand.
func (h *Hub) discover(ctx context.Context) error {
	found, err := h.listLanes(ctx)
	if err != nil {
		return err
	}
	at, err := h.startOfTail(ctx, found)
	if err != nil {
		return err
	}
	h.tail = h.ingest.NewTail(at)
	h.env = lane.NewEnv(lane.Env{
		JS: h.js, Ingest: h.ingest, Tail: h.tail, Appender: h.appender, Letters: h.letters, Hold: h.letters.Hold, Prove: h.letters.Prove,
		Memory: h.cfg.MemoryBytes * lanesPart / allParts, Hub: h.cfg.ID, Log: h.log, Failpoint: h.cfg.Failpoint,
		Recorded: h.recordedState,
	})
	h.lanes = newLanes(h.env, h.reconcileSoon)
	for _, service := range found {
		h.lanes.add(service)
	}
	h.readMembers(ctx)
	h.assignOwners()
	return nil
}
