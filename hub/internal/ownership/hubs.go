package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// FinishTime is how long a hub may take to finish what it began; a request takes less.
const FinishTime = 25 * time.Second

const (
	// answerTime bounds the wait for another hub to show that it is alive.
	answerTime = 500 * time.Millisecond
	// toHub precedes "<hub>.<verb>.<service>" in the subject of a request to a hub.
	toHub = "replhub._to."
	// noService is the last token of a request without a service.
	noService = "hub"

	// onItsWay is how long the request of a hub that died may still be under way in
	// the server.
	onItsWay = 2 * time.Second
)

// Registry is the part of a registry that Hubs use: the records of live hubs.
type Registry interface {
	// Snapshot is nil until the first complete load.
	Snapshot() *tree.Snapshot
	// Changed is closed when there is a newer snapshot.
	Changed() <-chan struct{}
	Status() tree.Status
	// Join keeps an ephemeral record for as long as the registry runs.
	Join(path string, value []byte)
}

// Config is what Hubs need.
type Config struct {
	Conn     *nats.Conn
	Registry Registry
	// ID is this hub's.
	ID string
	// Alone makes this hub own every lane, regardless of other hubs.
	Alone  bool
	Logger *slog.Logger
}

// Hubs are the live hubs, this one included. It may be used concurrently.
type Hubs struct {
	cfg  Config
	view atomic.Pointer[view]
	lent chan struct{} // holds a token when a hub lends other lanes than before
	// silence is defaultSilence, except in tests.
	silence time.Duration
	// known are the ids that the registry had last. Only Refresh uses it.
	known []string

	mu    sync.Mutex       // guards the rest, and changes of view
	peers map[string]*peer // by id
	mine  loans            // what this hub announced last
}

// view is who is there, and who has lent what.
type view struct {
	members []string // sorted
	lent    loans
}

// New makes Hubs that know of this hub alone.
func New(cfg Config) *Hubs {
	h := &Hubs{cfg: cfg, lent: make(chan struct{}, 1), silence: defaultSilence, peers: make(map[string]*peer)}
	h.view.Store(&view{members: []string{cfg.ID}})
	return h
}

// ID is this hub's id.
func (h *Hubs) ID() string { return h.cfg.ID }

// Members are the ids of the live hubs, sorted.
func (h *Hubs) Members() []string { return slices.Clone(h.view.Load().members) }

// Others are the members that may own lanes, without this hub.
func (h *Hubs) Others() []string {
	if h.cfg.Alone {
		return nil
	}
	return slices.DeleteFunc(h.Members(), func(id string) bool { return id == h.cfg.ID })
}

// Owner is the hub that copies into a service's lane.
func (h *Hubs) Owner(service subjects.Name) string {
	if h.cfg.Alone {
		return h.cfg.ID
	}
	v := h.view.Load()
	if to, ok := v.lent[service]; ok {
		return to
	}
	return ownerOf(service, v.members)
}

// Owns reports whether this hub copies into a service's lane.
func (h *Hubs) Owns(service subjects.Name) bool { return h.Owner(service) == h.cfg.ID }

// TrimsIngest reports whether this hub is the one that trims ingest: the owner of
// ingest's name among the lanes' names.
func (h *Hubs) TrimsIngest() bool {
	name, err := subjects.ParseName("ingest")
	return err == nil && (h.cfg.Alone || ownerOf(name, h.view.Load().members) == h.cfg.ID)
}

// Changed is closed when the members may have changed.
func (h *Hubs) Changed() <-chan struct{} { return h.cfg.Registry.Changed() }

// Enter makes this hub known to the other hubs. policy is what the hub allows of an entity
// without a policy.
func (h *Hubs) Enter(version string, started time.Time, policy string) {
	value, err := json.Marshal(map[string]any{"v": 1, "version": version, "started": started, "policy": policy})
	if err != nil {
		value = []byte(`{"v":1}`) // cannot happen: strings and a time
	}
	h.cfg.Registry.Join(record.HubPath(h.cfg.ID), value)
}

// Refresh takes the live hubs from the registry, and shares out the lanes of these
// services. This hub always counts as live. A hub that does not answer on NATS does not,
// though its record stays until its session ends. One call at a time.
func (h *Hubs) Refresh(ctx context.Context, services []subjects.Name) {
	if snapshot := h.cfg.Registry.Snapshot(); snapshot != nil && h.cfg.Registry.Status().Connected {
		h.known = record.Hubs(snapshot)
	}
	others := slices.DeleteFunc(slices.Clone(h.known), func(id string) bool { return id == h.cfg.ID })
	h.announce(ctx, others, h.mine)
	if h.share(others, services) {
		h.announce(ctx, h.answering(), h.mine) // the borrowers need not wait for the next call
		h.share(others, services)
	}
}

// answering are the other hubs that have answered the last request.
func (h *Hubs) answering() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(h.Others(), func(id string) bool { return h.peers[id] == nil || !h.peers[id].silentSince.IsZero() })
}

// share computes who is there and what this hub lends. It reports whether this hub lends
// other lanes than it has announced.
func (h *Hubs) share(others []string, services []subjects.Name) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(h.peers, func(id string, p *peer) bool { return !slices.Contains(others, id) && now.Sub(p.saidAt) > loanTime })
	members := []string{h.cfg.ID}
	for _, id := range others {
		if p := h.peers[id]; p != nil && (p.silentSince.IsZero() || now.Sub(p.silentSince) < h.silence) {
			members = append(members, id)
		}
	}
	slices.Sort(members)
	if old := h.view.Load().members; !slices.Equal(old, members) {
		h.cfg.Logger.Info("hubs", "members", members)
	}
	mine := h.toLend(services, members)
	news = !maps.Equal(h.mine, mine)
	h.mine = mine
	h.settle(members, now)
	return news
}

// toLend returns the lanes of this hub that another should have. Beside a hub that does
// not know of loans there are none. Call it with mu held.
func (h *Hubs) toLend(services []subjects.Name, members []string) loans {
	mine := make(loans)
	if h.cfg.Alone || slices.ContainsFunc(members, func(id string) bool { return h.peers[id] != nil && h.peers[id].older }) {
		return mine
	}
	for service, to := range balance(services, members) {
		if ownerOf(service, members) == h.cfg.ID {
			mine[service] = to
		}
	}
	return mine.first(maxLoans)
}

func contains(members []string, id string) bool {
	_, there := slices.BinarySearch(members, id)
	return there
}

// Answers reports whether a hub's process is alive. A slow hub counts as alive: only
// the server's answer that nobody subscribes counts against it.
func (h *Hubs) Answers(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := h.AskHub(ctx, id, "ping")
	return !errors.Is(err, nats.ErrNoResponders)
}

// Ask sends a request about a service to a hub, and returns its answer.
func (h *Hubs) Ask(ctx context.Context, id, verb string, service subjects.Name, data []byte) (*nats.Msg, error) {
	return h.cfg.Conn.RequestWithContext(ctx, toHub+id+"."+verb+"."+service.String(), data)
}

// AskHub is Ask for a request without a service.
func (h *Hubs) AskHub(ctx context.Context, id, verb string) (*nats.Msg, error) {
	return h.cfg.Conn.RequestWithContext(ctx, toHub+id+"."+verb+"."+noService, nil)
}

// Subject is the subject pattern on which this hub gets the requests of other hubs;
// Asked parses the subject of such a request.
func (h *Hubs) Subject() string { return toHub + h.cfg.ID + ".*.*" }

// Asked returns the verb and the service of a request to this hub.
func (h *Hubs) Asked(subject string) (verb, service string) {
	verb, service, _ = strings.Cut(strings.TrimPrefix(subject, toHub+h.cfg.ID+"."), ".")
	return verb, service
}

// GivenUp reports whether a hub will not finish the work that it began at a time:
// FinishTime is over, or the hub is gone. started is when this process began; now is
// by the same clock.
func (h *Hubs) GivenUp(ctx context.Context, id string, began, started, now time.Time) bool {
	switch age := now.Sub(began); {
	case age > FinishTime:
		return true
	case age < onItsWay:
		return false
	}
	if id == h.cfg.ID {
		return began.Before(started) // the earlier process of this hub began it
	}
	return !h.Answers(ctx, id)
}
