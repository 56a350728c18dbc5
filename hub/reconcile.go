package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// The registry and the lanes say the same in two places. The lane's state
// record decides: it is what copies are made under. The registry is how people
// see who wants what, and a second way to register: a record without an id is
// a request. So reconciling goes one way for records that have an id (put back,
// corrected, removed or told of, as the lane says) and the other way for those
// without.

const (
	// reconcileEvery is the time between looks when nothing tells of a change;
	// reconcileAway that while the registry is away.
	reconcileEvery = 10 * time.Second
	reconcileAway  = time.Second
	// reconcilePause gathers changes that come together into one look.
	reconcilePause = 200 * time.Millisecond
	// writeThroughTime bounds how long a registration waits for its registry
	// record; afterwards reconciling writes it.
	writeThroughTime = 2 * time.Second
)

// watchRegistry reconciles after every change of the registry, and now and then.
func (h *Hub) watchRegistry(ctx context.Context) error {
	r := &reconciler{
		hub: h, alarms: recordAlarms{alarms: &h.alarms, log: h.log}, parsed: make(parsedRecords), gone: make(map[subjects.Name]*goneStream),
	}
	for {
		changed := h.cfg.Registry.Changed()
		r.away = h.cfg.Registry.Snapshot() == nil || !h.cfg.Registry.Status().Connected
		if !r.away {
			r.run(ctx)
		}
		timer := time.NewTimer(r.next())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-h.unreconciled:
		case <-changed:
			if err := sleep(ctx, reconcilePause); err != nil {
				return nil
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// reconcileSoon has the registry and the lanes brought to agree before it is time.
func (h *Hub) reconcileSoon() {
	select {
	case h.unreconciled <- struct{}{}:
	default:
	}
}

// reconciler is one hub's view of what has to be done.
type reconciler struct {
	hub    *Hub
	alarms recordAlarms
	parsed parsedRecords
	// away is that the registry could not be read at the last look.
	away bool
	// gone are services with records and no stream; see streamless.
	gone map[subjects.Name]*goneStream
}

// recorded holds the paths that are known to have been in the registry, to tell
// a record that vanished from one that was never written.
type recorded struct{ paths sync.Map }

func (r *recorded) add(path string)      { r.paths.Store(path, true) }
func (r *recorded) remove(path string)   { r.paths.Delete(path) }
func (r *recorded) has(path string) bool { _, ok := r.paths.Load(path); return ok }

func (r *reconciler) run(ctx context.Context) {
	snapshot := r.hub.cfg.Registry.Snapshot()
	r.alarms.begin()
	parked := make(map[subjects.Name]string)
	defer r.forgetFound()
	for _, path := range slices.Sorted(maps.Keys(snapshot.Entries)) {
		if ctx.Err() != nil {
			return
		}
		entry := snapshot.Entries[path]
		if text := misnamed(path); text != "" {
			r.alarms.raiseMisnamed(path, text)
			continue
		}
		if entity, service, ok := parseInterestPath(path); ok {
			r.hub.recorded.add(path)
			r.interest(ctx, path, entry, entity, service, parked)
			continue
		}
		if name, ok := strings.CutPrefix(path, servicesFolder+"/"); ok {
			r.service(ctx, path, name, entry, parked)
		}
	}
	r.alarms.end()
	r.parsed.keep(snapshot.Entries)
	for _, l := range r.hub.lanes.all() {
		l.Park(parked[l.Service()])
		if l.Owned() {
			r.putBack(ctx, snapshot, l)
		}
	}
}

// interest brings one record and its lane to agree.
func (r *reconciler) interest(ctx context.Context, path string, entry tree.Entry, entity, service subjects.Name, parked map[subjects.Name]string) {
	h := r.hub
	record, newer, err := r.parsed.parse(path, entry.Value)
	switch {
	case err != nil:
		r.alarms.raise(path, fmt.Sprintf("registry record %s is ignored: %v", path, err))
		return
	case newer:
		parked[service] = fmt.Sprintf("registry record %s was written by a newer replhub; upgrade this hub", path)
		r.alarms.raise(path, parked[service])
		return
	}
	if h.dropped.has(record.ID) {
		h.log.Info("removing the registry record of an interest whose lane was dropped", "path", path, "id", record.ID)
		r.remove(ctx, path, entry.Version)
		return
	}
	if record.ID != "" && r.streamless(ctx, path, service) {
		return
	}
	if h.ownerOf(service) != h.cfg.ID {
		return
	}
	if record.ID == "" {
		r.adopt(ctx, path, entity, service, record)
		return
	}
	if l := h.lanes.get(service); l != nil {
		// The common case costs no request: the record says what the lane does.
		state := l.Status().State
		if have := state.Find(entity.String()); have != nil && record.same(*have) {
			return
		}
	}
	state, err := h.freshState(ctx, service)
	if errors.Is(err, lane.ErrNoLane) {
		h.reconcileSoon() // deleted just now, and to be told of once the lane has ended
		return
	}
	if !h.troubles.reconcile.Met(path, err) {
		r.alarms.keep(path)
		return
	}
	have := state.Find(entity.String())
	switch {
	case have != nil && record.same(*have):
	case have != nil:
		r.correct(ctx, path, entry.Version, *have)
	case slices.Contains(state.Ended, record.ID):
		h.log.Info("removing the registry record of an interest that was ended", "path", path, "id", record.ID)
		r.remove(ctx, path, entry.Version)
	default:
		// It was ended with a lane that is no more, or the lane was rolled back.
		// Registering it would leave a gap that nobody is told of.
		r.alarms.raise(path, fmt.Sprintf("registry record %s is of an interest that is not in force: lane %s does not know its id %s; register %s again with a start, or unregister it",
			path, service, record.ID, entity))
	}
}

// adopt registers what a record made by hand asks for; the write-through then
// writes id and since back.
func (r *reconciler) adopt(ctx context.Context, path string, entity, service subjects.Name, record interestRecord) {
	req, err := parseRegister(record.request(entity.String()), r.hub.known(service))
	if err == nil {
		err = r.serviceRecordOf(service)
	}
	if err == nil {
		_, err = r.hub.register(ctx, service, req)
		for _, warning := range req.warnings() {
			r.hub.log.Warn("registry record", "path", path, "warning", warning)
		}
	}
	if err != nil {
		r.alarms.raise(path, fmt.Sprintf("registry record %s cannot be registered: %v", path, inRecord(err)))
		return
	}
	r.hub.log.Info("registered from the registry", "path", path)
}

// correct writes the lane's definition over a record that differs from it.
func (r *reconciler) correct(ctx context.Context, path string, version tree.Version, in lane.Interest) {
	r.write(ctx, path, version, encodeRecord(recordOf(in)))
}

// write writes what is in force over a record that says something else.
func (r *reconciler) write(ctx context.Context, path string, version tree.Version, value []byte) {
	_, err := r.hub.cfg.Registry.Put(ctx, path, value, version)
	if err != nil {
		r.hub.log.Debug("correct a registry record", "path", path, "err", err) // the next look tries again
		return
	}
	r.hub.log.Warn("registry record corrected to what is in force; definitions change by replhub.register", "path", path)
}

func (r *reconciler) remove(ctx context.Context, path string, version tree.Version) {
	r.hub.recorded.remove(path)
	if err := r.hub.cfg.Registry.Delete(ctx, path, version); err != nil && !errors.Is(err, tree.ErrNotFound) {
		r.hub.log.Debug("remove a registry record", "path", path, "err", err)
	}
}

// serviceRecordOf reports what is wrong with the record of a service that a
// record made by hand registers: its queue would be another than was asked for.
func (r *reconciler) serviceRecordOf(service subjects.Name) error {
	path := servicePath(service)
	_, newer, err := parseServiceRecord(r.hub.cfg.Registry.Snapshot().Entries[path].Value)
	if err != nil {
		return fmt.Errorf("correct registry record %s first: %w", path, err)
	}
	if newer {
		return fmt.Errorf("registry record %s was written by a newer replhub", path)
	}
	return nil
}

// service checks a service's record, and brings it to what its lane says.
func (r *reconciler) service(ctx context.Context, path, name string, entry tree.Entry, parked map[subjects.Name]string) {
	service, err := subjects.ParseName(name)
	if err != nil {
		return // told as misnamed
	}
	r.hub.recorded.add(path)
	record, newer, err := parseServiceRecord(entry.Value)
	switch {
	case err != nil:
		r.alarms.raise(path, fmt.Sprintf("registry record %s is ignored: %v", path, err))
		return
	case newer:
		parked[service] = fmt.Sprintf("registry record %s was written by a newer replhub; upgrade this hub", path)
		r.alarms.raise(path, parked[service])
		return
	}
	l := r.hub.lanes.get(service)
	if l == nil && r.hub.dropped.leftBehind(service, entry.Value) {
		r.remove(ctx, path, entry.Version)
		return
	}
	if l == nil || !l.Owned() || len(l.Status().State.Interests) == 0 || record.same(l.Status().State) {
		return
	}
	state, err := r.hub.freshState(ctx, service)
	if err != nil || record.same(state) {
		return // an unreadable lane says so itself
	}
	r.write(ctx, path, entry.Version, encodeRecord(serviceRecord{Form: recordForm, Queue: state.Queue, MaxBytes: state.MaxBytes}))
}

// putBack writes the records of a lane's interests that are not in the
// registry. One that was there before did not go by unregistering.
func (r *reconciler) putBack(ctx context.Context, snapshot *tree.Snapshot, l *lane.Lane) {
	h := r.hub
	if complete(snapshot, l.Service(), l.Status().State) {
		return
	}
	state, err := h.freshState(ctx, l.Service())
	if err != nil {
		return
	}
	write := func(path string, value []byte) {
		if _, there := snapshot.Entries[path]; there {
			return
		}
		had := h.recorded.has(path) // before: a registration beside this writes it too
		if _, err := h.cfg.Registry.Put(ctx, path, value, tree.Absent); err != nil {
			if !errors.Is(err, tree.ErrConflict) {
				h.log.Debug("put a registry record back", "path", path, "err", err)
			}
			return
		}
		if had {
			// Stays raised until the interest ends: somebody should find out who
			// deletes records.
			h.alarms.raise(h.log, vanished(path), fmt.Sprintf("registry record %s vanished without unregister and was put back; records are deleted by `replhub unregister` alone", path))
		}
	}
	for _, in := range state.Interests {
		write(interestPath(in.Entity, l.Service()), encodeRecord(recordOf(in)))
	}
	if len(state.Interests) > 0 {
		write(servicePath(l.Service()), encodeRecord(serviceRecord{Form: recordForm, Queue: state.Queue, MaxBytes: state.MaxBytes}))
	}
}

// vanished is what the alarm about a record that vanished is raised about.
func vanished(path string) string { return path + " vanished" }

// complete reports whether the registry has a record of every interest.
func complete(snapshot *tree.Snapshot, service subjects.Name, s lane.State) bool {
	if len(s.Interests) == 0 {
		return true
	}
	for _, in := range s.Interests {
		if _, there := snapshot.Entries[interestPath(in.Entity, service)]; !there {
			return false
		}
	}
	_, there := snapshot.Entries[servicePath(service)]
	return there
}

// freshState is a lane's state as its stream says now.
func (h *Hub) freshState(ctx context.Context, service subjects.Name) (lane.State, error) {
	tip, err := lane.ReadTip(ctx, h.js, service)
	return tip.State, err
}

// writeThrough brings the registry up to a lane's state after a change, within
// its time; what it does not get done, reconciling does later.
func (h *Hub) writeThrough(ctx context.Context, service subjects.Name, s lane.State) {
	if !h.cfg.Registry.Status().Connected {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeThroughTime)
	defer cancel()
	snapshot := h.cfg.Registry.Snapshot()
	put := func(path string, value []byte) bool {
		if snapshot != nil && isNewerForm(snapshot.Entries[path].Value) {
			return true // the lane is parked for it; an old hub must not take it away
		}
		_, err := h.cfg.Registry.Put(ctx, path, value, tree.Any)
		h.troubles.registry.Met(err)
		if err != nil {
			return false
		}
		h.recorded.add(path)
		return true
	}
	for _, in := range s.Interests {
		path := interestPath(in.Entity, service)
		if snapshot != nil {
			if r, _, err := parseInterestRecord(snapshot.Entries[path].Value); err == nil && r.same(in) {
				continue
			}
		}
		if !put(path, encodeRecord(recordOf(in))) {
			return
		}
	}
	put(servicePath(service), encodeRecord(serviceRecord{Form: recordForm, Queue: s.Queue, MaxBytes: s.MaxBytes}))
}

// recordedQueue is the queue and the limit that a service's record asks for, or
// the defaults where there is none.
func (h *Hub) recordedQueue(service subjects.Name) (queue contract.Queue, maxBytes int64, recorded bool) {
	queue, maxBytes = lane.DefaultQueue(), h.cfg.LaneMaxBytes
	snapshot := h.cfg.Registry.Snapshot()
	if snapshot == nil {
		return queue, maxBytes, false
	}
	entry, there := snapshot.Entries[servicePath(service)]
	record, newer, err := parseServiceRecord(entry.Value)
	if !there || err != nil || newer || h.dropped.leftBehind(service, entry.Value) {
		return queue, maxBytes, false
	}
	if record.MaxBytes > 0 {
		maxBytes = record.MaxBytes
	}
	return mergeQueue(queue, &record.Queue), maxBytes, true
}
