package hub

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/subjects"
)

// Owners shares the lanes out over the live hubs by rendezvous hashing: each
// hub computes the same owner from the same members. Members come from the
// registry; with it away everybody goes on from what was last known. Two hubs
// that both believe to own a lane are held apart by the lane itself.

func memberRecord(version string, started time.Time) []byte {
	data, err := json.Marshal(map[string]any{"v": 1, "version": version, "started": started})
	if err != nil {
		return []byte(`{"v":1}`) // cannot happen: strings and a time
	}
	return data
}

// ownerOf is the hub that copies into a service's lane.
func ownerOf(service subjects.Name, members []string) string {
	var owner string
	var best uint64
	for _, id := range members {
		f := fnv.New64a()
		f.Write([]byte(id))
		f.Write([]byte{0})
		f.Write([]byte(service.String()))
		weight := mix(f.Sum64())
		if owner == "" || weight > best || (weight == best && id < owner) {
			owner, best = id, weight
		}
	}
	return owner
}

// mix spreads FNV's high bits, in which short strings hardly differ
// (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}

// readMembers takes the live hubs from the registry. This hub is one of them
// whatever the registry says.
func (h *Hub) readMembers() {
	snapshot := h.cfg.Registry.Snapshot()
	if snapshot == nil || !h.cfg.Registry.Status().Connected {
		return
	}
	ids := map[string]bool{h.cfg.ID: true}
	for path := range snapshot.Entries {
		if id, ok := strings.CutPrefix(path, hubsFolder+"/"); ok {
			ids[id] = true
		}
	}
	members := slices.Sorted(maps.Keys(ids))
	if old := h.members.Swap(&members); !slices.Equal(*old, members) {
		h.log.Info("hubs", "members", members)
	}
}

func (h *Hub) ownerOf(service subjects.Name) string {
	if h.cfg.OwnAll {
		return h.cfg.ID
	}
	return ownerOf(service, *h.members.Load())
}

func (h *Hub) assignOwners() {
	for _, l := range h.lanes.all() {
		l.Own(h.ownerOf(l.Service()) == h.cfg.ID)
	}
}

// recheck has a lane that another hub may have changed or dropped read again.
// The lane's owner needs no telling: its next append would show it.
func (h *Hub) recheck(service subjects.Name) {
	if l := h.lanes.get(service); l != nil {
		l.Recheck()
	}
}

// watchOwners follows the members and the lanes of others.
func (h *Hub) watchOwners(ctx context.Context) error {
	news := make(chan struct{}, 1)
	sub, err := h.nc.Subscribe(changedSubject, func(m *natsMsg) {
		if service, err := subjects.ParseName(string(m.Data)); err == nil {
			h.recheck(service)
		}
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	look := time.NewTicker(discoverEvery)
	defer look.Stop()
	for {
		changed := h.cfg.Registry.Changed()
		h.readMembers()
		h.assignOwners()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			continue
		case <-news:
		case <-look.C:
		}
		if err := h.findLanes(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("look for lanes", "err", err)
		}
	}
}
