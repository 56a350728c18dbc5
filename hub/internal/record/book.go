package record

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

const (
	// writeTime bounds how long a request waits for its registry records;
	// afterwards reconciling writes them.
	writeTime = 2 * time.Second
	// settleTrouble is how long writing must succeed before trouble with it counts as
	// over.
	settleTrouble = 5 * time.Second
)

// Registry is the part of a registry that a Book uses.
type Registry interface {
	// Snapshot is nil until the first complete load.
	Snapshot() *tree.Snapshot
	// Changed is closed when there is a newer snapshot.
	Changed() <-chan struct{}
	Status() tree.Status
	Get(ctx context.Context, path string) (tree.Entry, error)
	Put(ctx context.Context, path string, value []byte, expect tree.Version) (tree.Version, error)
	Delete(ctx context.Context, path string, expect tree.Version) error
}

// Book is the registry, with this hub's memory of its records: which were there, and
// which are of dropped lanes. It may be used concurrently.
type Book struct {
	registry Registry
	alarms   *alarm.Set
	log      *slog.Logger
	// maxBytes is the limit of a lane whose service's record states none.
	maxBytes int64

	seen    sync.Map // the paths that are known to have been in the registry
	dropped droppedLanes
	trouble *episode.Log

	mu   sync.Mutex // guards mine
	mine Versions
}

// NewBook makes a Book. maxBytes is the limit of a lane whose service states none.
func NewBook(registry Registry, alarms *alarm.Set, maxBytes int64, log *slog.Logger) *Book {
	return &Book{
		registry: registry, alarms: alarms, maxBytes: maxBytes, log: log, mine: make(Versions),
		trouble: episode.NewLog(log, "write to the registry", settleTrouble),
	}
}

// Snapshot is the registry as it was last read; nil until the first complete load.
func (b *Book) Snapshot() *tree.Snapshot { return b.registry.Snapshot() }

// Changed is closed when there is a newer snapshot.
func (b *Book) Changed() <-chan struct{} { return b.registry.Changed() }

// Reachable reports whether the registry answers and has been read.
func (b *Book) Reachable() bool { return b.registry.Snapshot() != nil && b.registry.Status().Connected }

// Gone reports whether the registry itself says that a record is not there: the
// snapshot may be behind.
func (b *Book) Gone(ctx context.Context, path string) bool {
	_, err := b.registry.Get(ctx, path)
	return errors.Is(err, tree.ErrNotFound)
}

// Seen notes a record that is in the registry.
func (b *Book) Seen(path string) { b.seen.Store(path, true) }

// WasSeen reports whether a record was in the registry. If such a record is missing,
// it was not removed by unregistering.
func (b *Book) WasSeen(path string) bool { _, ok := b.seen.Load(path); return ok }

// Overwrite writes a record over one of a version, or, with tree.Absent, where there
// is none.
func (b *Book) Overwrite(ctx context.Context, path string, value []byte, expect tree.Version) error {
	version, err := b.registry.Put(ctx, path, value, expect)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.mine.Forget(path)
		return err
	}
	b.mine.Wrote(path, version)
	return nil
}

// version returns the version of a record, as far as this hub knows.
func (b *Book) version(path string) tree.Version {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mine.Known(b.entries(), path)
}

// through returns the records that a change of a lane writes.
func (b *Book) through(service subjects.Name, s lane.State, answered string) []Written {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Through(b.entries(), b.mine, service, s, answered)
}

// entries are the registry's records as they were last read.
func (b *Book) entries() map[string]tree.Entry {
	if snapshot := b.registry.Snapshot(); snapshot != nil {
		return snapshot.Entries
	}
	return nil
}

// Delete deletes a record of a version. It succeeds if the record is already gone.
func (b *Book) Delete(ctx context.Context, path string, expect tree.Version) error {
	b.seen.Delete(path)
	b.mu.Lock()
	b.mine.Forget(path)
	b.mu.Unlock()
	if err := b.registry.Delete(ctx, path, expect); err != nil && !errors.Is(err, tree.ErrNotFound) {
		return err
	}
	return nil
}

// Remove deletes the records of ended interests from the registry, at the versions that
// this hub knows. Reconciling deletes the rest later: the lane remembers its ended
// interests.
func (b *Book) Remove(ctx context.Context, paths []string) {
	if !b.registry.Status().Connected {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	for _, path := range paths {
		b.alarms.Clear(alarm.About{Kind: alarm.RecordVanished, Name: path})
		version := b.version(path)
		if version == tree.Absent {
			continue
		}
		if err := b.Delete(ctx, path, version); err != nil && !errors.Is(err, tree.ErrConflict) {
			b.log.Warn("remove a registry record; trying again", "path", path, "err", err)
			return
		}
	}
}

// Write brings the registry up to a lane's state after a change, within writeTime. It
// replaces the versions of records that this hub knows. Reconciling writes the rest later.
// answered is the id of the request in the registry that led to the change, if one did.
func (b *Book) Write(ctx context.Context, service subjects.Name, s lane.State, answered string) {
	if !b.registry.Status().Connected {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	for _, w := range b.through(service, s, answered) {
		err := b.Overwrite(ctx, w.Path, w.Value, w.Expect)
		if errors.Is(err, tree.ErrConflict) {
			continue
		}
		if b.trouble.Met(err); err != nil {
			return
		}
		b.Seen(w.Path)
	}
}

// Queue is the queue and the limit that a service's record asks for, or the defaults
// where there is none.
func (b *Book) Queue(service subjects.Name) (queue contract.Queue, maxBytes int64, recorded bool) {
	queue, maxBytes = lane.DefaultQueue(), b.maxBytes
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return queue, maxBytes, false
	}
	entry, there := snapshot.Entries[ServicePath(service)]
	record, newer, err := ParseService(entry.Value)
	if !there || err != nil || newer || b.LeftBehind(service, entry.Value) {
		return queue, maxBytes, false
	}
	if record.MaxBytes > 0 {
		maxBytes = record.MaxBytes
	}
	return request.MergeQueue(queue, &record.Queue), maxBytes, true
}

// State is what the registry and the consumers say of a service whose lane lost its
// state record. The interests are the registered ones: they show what the service is
// missing until it starts again. No events are copied for them, since the lane is
// detached, and the next registration ends them.
func (b *Book) State(ctx context.Context, js jetstream.JetStream, service subjects.Name) lane.State {
	queue, maxBytes, recorded := b.Queue(service)
	if !recorded {
		if found, err := lane.QueueOf(ctx, js, service); err != nil {
			b.log.Warn("read the queue of a lane from its consumers", "service", service.String(), "err", err)
		} else {
			queue = found
		}
	}
	state := lane.State{Queue: queue, MaxBytes: maxBytes, Phase: lane.Live}
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return state
	}
	for _, path := range slices.Sorted(maps.Keys(snapshot.Entries)) {
		entity, of, ok := ParseInterestPath(path)
		if !ok || of != service {
			continue
		}
		r, newer, err := ParseInterest(snapshot.Entries[path].Value)
		if err != nil || newer || r.ID == "" || r.Since == nil {
			continue
		}
		in := lane.Interest{ID: r.ID, Entity: entity.String(), Definition: r.Definition, Since: *r.Since, Rev: r.Rev}
		if _, err := in.Compile(); err == nil {
			state.Interests = append(state.Interests, in)
		}
	}
	return state
}

// Registered are the services that the registry has interests of.
func (b *Book) Registered() []subjects.Name {
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return nil
	}
	var services []subjects.Name
	for path := range snapshot.Entries {
		if _, service, ok := ParseInterestPath(path); ok {
			services = append(services, service)
		}
	}
	return services
}

// Paths are the places of all records of a service that the registry has.
func (b *Book) Paths(service subjects.Name) []string {
	snapshot := b.registry.Snapshot()
	if snapshot == nil {
		return nil
	}
	var paths []string
	for path := range snapshot.Entries {
		if _, of, ok := ParseInterestPath(path); ok && of == service || path == ServicePath(service) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Dropped notes the last state of a lane that is dropped: its interests ended with
// it.
func (b *Book) Dropped(s lane.State) {
	for _, in := range s.Interests {
		b.dropped.add(in.ID)
	}
	b.dropped.add(s.Ended...)
}

// Lost notes the records of a lane that is given up unread, as Dropped does.
func (b *Book) Lost(paths []string) {
	snapshot := b.registry.Snapshot()
	for _, path := range paths {
		if r, _, err := ParseInterest(snapshot.Entries[path].Value); err == nil && r.ID != "" {
			b.dropped.add(r.ID)
		}
	}
}

// WasDropped reports whether an id is of an interest that ended with its lane.
func (b *Book) WasDropped(id string) bool { return b.dropped.has(id) }

// Leave notes the record of a dropped service, in case it cannot be deleted from the
// registry.
func (b *Book) Leave(service subjects.Name) {
	if snapshot := b.registry.Snapshot(); snapshot != nil {
		if entry, there := snapshot.Entries[ServicePath(service)]; there {
			b.dropped.left(service, entry.Value)
		}
	}
}

// LeftBehind reports whether a service's record is left from a dropped service: it
// does not apply to a later service of the name.
func (b *Book) LeftBehind(service subjects.Name, value []byte) bool {
	return b.dropped.leftBehind(service, value)
}
