package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// layoutEvery is the time between two looks at where the streams lie, layoutTime
	// bounds the look at one stream, and layoutPace is the least time between two.
	layoutEvery = 2 * time.Second
	layoutTime  = 5 * time.Second
	layoutPace  = 5 * time.Millisecond
)

// layout is on how many servers the hub's streams lie, and on which. The servers'
// placement is ingest's, as operators set it; nil leaves each stream where it is.
type layout struct {
	replicas  int
	placement *jetstream.Placement
}

// next returns a stream's configuration one step nearer to the layout; more is false
// if it is there. The server refuses another placement and other replicas at a time.
func (l layout) next(cfg jetstream.StreamConfig) (next jetstream.StreamConfig, more bool) {
	switch {
	case l.placement != nil && !samePlacement(cfg.Placement, l.placement):
		cfg.Placement = l.placement
		return cfg, true
	case max(cfg.Replicas, 1) != l.replicas:
		cfg.Replicas = l.replicas
		return cfg, true
	}
	return cfg, false
}

func samePlacement(a, b *jetstream.Placement) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cluster == b.Cluster && slices.Equal(slices.Sorted(slices.Values(a.Tags)), slices.Sorted(slices.Values(b.Tags)))
}

// text describes the layout.
func (l layout) text() string {
	text := fmt.Sprintf("replicas: %d", l.replicas)
	if l.placement != nil {
		text += fmt.Sprintf(", cluster %q, tags %s", l.placement.Cluster, strings.Join(l.placement.Tags, " "))
	}
	return text
}

// layoutWatch gives the streams that exist the replicas of the configuration, and the
// placement of ingest. It does so in the background: a hub starts, and works, while a
// server that a replica needs is away.
type layoutWatch struct {
	hub *Hub
	// done is the layout that each stream was found to have, by the stream's name.
	done map[string]string
}

// watchLayout runs until ctx ends.
func (h *Hub) watchLayout(ctx context.Context) error {
	w := layoutWatch{hub: h, done: make(map[string]string)}
	for {
		w.look(ctx)
		if err := retry.Sleep(ctx, min(layoutEvery, h.cfg.TrimEvery)); err != nil {
			return nil
		}
	}
}

// look looks at each stream that is not known to have the layout, and describes what it
// could not change.
func (w *layoutWatch) look(ctx context.Context) {
	want, err := w.hub.wantedLayout(ctx)
	if err != nil {
		w.hub.log.Debug("look at the replicas of ingest", "err", err) // the next look tells
		return
	}
	mixed := sync.OnceValue(func() bool { return w.hub.mixedVersions(ctx) })
	done := make(map[string]string)
	var texts []string
	for _, name := range w.streams() {
		if w.done[name] == want.text() {
			done[name] = want.text()
			continue
		}
		if retry.Sleep(ctx, min(layoutPace, w.hub.cfg.TrimEvery)) != nil {
			return
		}
		changing, cancel := context.WithTimeout(ctx, layoutTime)
		is, err := w.hub.lay(changing, name, want, mixed)
		cancel()
		if is {
			done[name] = want.text()
		}
		if err != nil {
			texts = append(texts, fmt.Sprintf("stream %s does not have its replicas and its place yet (%s): %v; trying again", name, want.text(), err))
		}
	}
	w.done = done
	w.hub.condition.layout.Store(&texts)
}

// streams are the names of the streams that this hub looks after: its lanes, and on one
// hub those that all services share.
func (w *layoutWatch) streams() []string {
	var names []string
	if w.hub.hubs.TrimsIngest() {
		for _, k := range w.hub.kept() {
			names = append(names, k.Name())
		}
		if w.hub.cfg.RegistryKind == "kv" {
			names = append(names, "KV_"+contract.BucketRegistry)
		}
	}
	for _, l := range w.hub.lanes.All() {
		if l.Owned() && l.Parked() == "" {
			names = append(names, subjects.LaneStream(l.Service()))
		}
	}
	return names
}

// wantedLayout is what the configuration and ingest say now.
func (h *Hub) wantedLayout(ctx context.Context) (layout, error) {
	ctx, cancel := context.WithTimeout(ctx, layoutTime)
	defer cancel()
	s, err := h.js.Stream(ctx, contract.StreamIngest)
	if err != nil {
		return layout{}, err
	}
	cfg := s.CachedInfo().Config
	want := layout{replicas: max(cfg.Replicas, 1), placement: cfg.Placement}
	if h.cfg.Replicas > 0 {
		want.replicas = h.cfg.Replicas
	}
	return want, nil
}

// errMixed puts a change off: a server of 2.15 tells the others of it in a form that a
// server of 2.12 does not know, and the older server then stops its replica
// (2.12.0, "stream is offline").
var errMixed = errors.New("the servers have different versions: it waits until all are upgraded")

// lay brings a stream, and a lane's consumers, nearer to a layout. It reports whether
// they have it.
func (h *Hub) lay(ctx context.Context, name string, want layout, mixed func() bool) (is bool, err error) {
	s, err := h.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil // who looks after the stream itself says so
	}
	if err != nil {
		return false, err
	}
	cfg := s.CachedInfo().Config
	if !hubstream.Is(cfg) && name != "KV_"+contract.BucketRegistry {
		return false, nil // an alarm names it
	}
	if next, more := want.next(cfg); more {
		if mixed() {
			return false, errMixed
		}
		if _, err := h.js.UpdateStream(ctx, next); err != nil {
			return false, err
		}
		h.log.Info("a stream is moved", "stream", name, "to", want.text())
		return false, nil // the next look sees where it is
	}
	service, ok := subjects.ParseLaneStream(name)
	if !ok {
		return true, nil
	}
	consumers, err := lane.ListWorkers(ctx, s)
	if err != nil {
		return false, err
	}
	for _, info := range consumers {
		if n := info.Config.Replicas; n != 0 && n != want.replicas {
			if mixed() {
				return false, errMixed
			}
			return false, h.layConsumers(ctx, service)
		}
	}
	return true, nil
}

// layConsumers gives a lane's consumers the replicas of their stream.
func (h *Hub) layConsumers(ctx context.Context, service subjects.Name) error {
	state, err := h.lanes.State(ctx, service)
	if errors.Is(err, lane.ErrNoLane) || err == nil && state.Dropped {
		return nil
	}
	if err == nil {
		_, err = h.rooms.consumers.Ensure(ctx, service, state)
	}
	return err
}
