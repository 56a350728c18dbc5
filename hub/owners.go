package hub

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/subjects"
)

// Owners shares the lanes out over the live hubs by rendezvous hashing: each
// hub computes the same owner from the same members. Members come from the
// registry; with it away everybody goes on from what was last known. Two hubs
// that both believe to own a lane are held apart by the lane itself.

const (
	// membersEvery is how often a hub looks whether the others are there.
	membersEvery = time.Second
	// membersPause gathers changes of the registry that come together.
	membersPause = 100 * time.Millisecond
	// maxNews bounds the lanes that were announced and not taken up yet.
	maxNews = 256
	// answerTime bounds the wait for one of them.
	answerTime = 500 * time.Millisecond
	// pingService fills the last token of a forwarded ping.
	pingService = "hub"
)

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
// whatever the registry says; one that NATS knows nothing of is not, though its
// record lives on until its session ends.
func (h *Hub) readMembers(ctx context.Context) {
	known := *h.members.Load()
	if snapshot := h.cfg.Registry.Snapshot(); snapshot != nil && h.cfg.Registry.Status().Connected {
		known = known[:0:0]
		for path := range snapshot.Entries {
			if id, ok := strings.CutPrefix(path, hubsFolder+"/"); ok {
				known = append(known, id)
			}
		}
	}
	members := []string{h.cfg.ID}
	for _, id := range known {
		if id != h.cfg.ID && h.answers(ctx, id) {
			members = append(members, id)
		}
	}
	slices.Sort(members)
	if old := h.members.Swap(&members); !slices.Equal(*old, members) {
		h.log.Info("hubs", "members", members)
	}
}

// answers reports whether a hub's process is there. One that is slow is: only
// the certainty that nobody listens counts.
func (h *Hub) answers(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := h.nc.RequestWithContext(ctx, forwardPrefix+id+".ping."+pingService, nil)
	return !errors.Is(err, nats.ErrNoResponders)
}

func (h *Hub) ownerOf(service subjects.Name) string {
	if h.cfg.OwnAll {
		return h.cfg.ID
	}
	return ownerOf(service, *h.members.Load())
}

// trimsIngest reports whether this hub is the one that trims ingest: the owner of
// ingest's name among the lanes' names.
func (h *Hub) trimsIngest() bool {
	name, err := subjects.ParseName("ingest")
	return err == nil && h.ownerOf(name) == h.cfg.ID
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
	news := make(chan subjects.Name, maxNews)
	sub, err := h.nc.Subscribe(changedSubject, func(m *natsMsg) { h.hear(string(m.Data), news) })
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	look := time.NewTicker(discoverEvery)
	defer look.Stop()
	members := time.NewTicker(membersEvery)
	defer members.Stop()
	var changed <-chan struct{}
	for owners := true; ; {
		if owners {
			changed = h.cfg.Registry.Changed()
			h.readMembers(ctx)
			h.assignOwners()
		}
		owners = true
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			// A registration changes the registry too, and this goes over all of it.
			if err := sleep(ctx, membersPause); err != nil {
				return nil
			}
		case <-members.C:
		case service := <-news:
			h.takeUp(ctx, service)
			owners = false
		case <-look.C:
			if err := h.findLanes(ctx); ctx.Err() == nil {
				h.troubles.findLanes.Met(err)
			}
		}
	}
}

// hear takes in that a lane was made or changed.
func (h *Hub) hear(name string, news chan<- subjects.Name) {
	service, err := subjects.ParseName(name)
	switch {
	case err != nil:
	case h.lanes.get(service) != nil:
		h.recheck(service)
	default:
		select {
		case news <- service:
		default: // it is found by looking
		}
	}
}

// takeUp takes up a lane that another hub says it has created.
func (h *Hub) takeUp(ctx context.Context, service subjects.Name) {
	if h.mayBeLane(ctx, service) {
		h.lanes.add(service).Own(h.ownerOf(service) == h.cfg.ID)
	}
}
