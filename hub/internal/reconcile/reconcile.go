// Package reconcile makes the registry and the lanes agree. Both hold the interests
// of services. The lane's state record decides, because copies are made under it. The
// registry shows the interests to people, and is a second way to register: a record
// without an id is a request. So a record with an id is made to agree with the lane:
// it is restored, corrected, removed or reported. A record without an id changes the
// lane.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nuid"
	"github.com/replhub/replhub/hub/internal/alarm"
	"github.com/replhub/replhub/hub/internal/episode"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/hub/internal/policy"
	"github.com/replhub/replhub/hub/internal/reconcile/agree"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/registration"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

const (
	// every is the time between looks without a notice of a change; everyAway is that
	// time while the registry is away.
	every     = 10 * time.Second
	everyAway = time.Second
	// pause gathers changes that come together into one look.
	pause = 200 * time.Millisecond
	// settleTrouble is how long a record must agree before trouble with it counts as
	// over.
	settleTrouble = 5 * time.Second
)

// Config is what a Reconciler needs. Every field is required.
type Config struct {
	Book         *record.Book
	Registration *registration.Registrar
	Hubs         *ownership.Hubs
	Lanes        *lanes.Set
	Lacking      *lanes.Lacking
	Policies     *policy.Enforcer
	Alarms       *alarm.Set
	Logger       *slog.Logger
}

// Reconciler reconciles for one hub. Its fields are used only by Run's goroutine.
type Reconciler struct {
	cfg     Config
	alarms  recordAlarms
	cache   record.Cache
	trouble *episode.Logs
	// soon has a token when a look is needed before it is due.
	soon chan struct{}
	// away says that the registry could not be read at the last look.
	away bool
	// unsettled says that a policy is not in force in every lane of this hub.
	unsettled bool
	// gone are services with records and no stream; see streamless.
	gone map[subjects.Name]*goneStream
}

// New makes a Reconciler.
func New(cfg Config) *Reconciler {
	return &Reconciler{
		cfg: cfg, alarms: recordAlarms{alarms: cfg.Alarms}, cache: make(record.Cache),
		trouble: episode.NewLogs(cfg.Logger, "bring registry record and lane to agree", settleTrouble),
		soon:    make(chan struct{}, 1), gone: make(map[subjects.Name]*goneStream),
	}
}

// Run reconciles after every change of the registry, and periodically, until ctx
// ends.
func (r *Reconciler) Run(ctx context.Context) error {
	for {
		changed := r.cfg.Book.Changed()
		r.away = !r.cfg.Book.Reachable()
		if r.away {
			r.cfg.Policies.LookAtHeld(ctx)
		} else {
			r.look(ctx)
		}
		timer := time.NewTimer(r.next())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.soon:
		case <-r.cfg.Lanes.Lost():
		case <-r.cfg.Lanes.Held():
		case <-changed:
			if err := retry.Sleep(ctx, pause); err != nil {
				return nil
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look goes over all records and lanes once.
func (r *Reconciler) look(ctx context.Context) {
	snapshot := r.cfg.Book.Snapshot()
	r.alarms.begin()
	parked := make(map[subjects.Name]string)
	defer r.forgetFound()
	for _, path := range slices.Sorted(maps.Keys(snapshot.Entries)) {
		if ctx.Err() != nil {
			return
		}
		entry := snapshot.Entries[path]
		if _, policy := record.ParsePolicyPath(path); policy && len(entry.Value) == 0 {
			continue // only the parent of what lies below it
		}
		if text := record.Misnamed(path); text != "" {
			r.alarms.raiseMisnamed(path, text)
			continue
		}
		if entity, service, ok := record.ParseInterestPath(path); ok {
			r.cfg.Book.Seen(path)
			r.interest(ctx, path, entry, entity, service, parked)
			continue
		}
		if name, ok := record.ParseServicePath(path); ok {
			r.service(ctx, path, name, entry, parked)
		}
	}
	r.alarms.end()
	r.cache.Keep(snapshot.Entries)
	for _, l := range r.cfg.Lanes.All() {
		l.Park(parked[l.Service()])
		if l.Owned() {
			r.putBack(ctx, snapshot, l)
		}
	}
	r.unsettled = !r.cfg.Policies.Look(ctx)
}

// lookSoon requests an early look.
func (r *Reconciler) lookSoon() {
	select {
	case r.soon <- struct{}{}:
	default:
	}
}

// interest makes one record and its lane agree.
func (r *Reconciler) interest(ctx context.Context, path string, entry tree.Entry, entity, service subjects.Name, parked map[subjects.Name]string) {
	found, newer, err := r.cache.Parse(path, entry.Value)
	switch {
	case err != nil:
		r.alarms.raise(path, fmt.Sprintf("registry record %s is ignored: %v", path, err))
		return
	case newer:
		parked[service] = fmt.Sprintf("registry record %s was written by a newer replhub; upgrade this hub", path)
		r.alarms.raise(path, parked[service])
		return
	}
	// Read this first: the lane may be dropped meanwhile.
	dropped := r.cfg.Book.WasDropped(found.ID)
	if !dropped && !found.Requests() && r.streamless(ctx, path, service) {
		return
	}
	known := agree.Knowledge{Owned: r.cfg.Hubs.Owns(service), Dropped: dropped, NewID: nuid.Next}
	if l := r.cfg.Lanes.Get(service); l != nil && known.Owned {
		state := l.Status().State
		known.State = &state
	}
	one := &interest{Reconciler: r, path: path, entity: entity, service: service, found: found}
	one.perform(ctx, agree.Interest(agree.Record{Entity: entity.String(), Found: found, Version: entry.Version}, known))
}

// write writes what is in force over a record that says something else.
func (r *Reconciler) write(ctx context.Context, path string, version tree.Version, value []byte) {
	if err := r.cfg.Book.Overwrite(ctx, path, value, version); err != nil {
		r.cfg.Logger.Debug("correct a registry record", "path", path, "err", err) // the next look tries again
		return
	}
	r.cfg.Logger.Warn("registry record corrected to what is in force; definitions change by replhub.register", "path", path)
}

func (r *Reconciler) remove(ctx context.Context, path string, version tree.Version) {
	if err := r.cfg.Book.Delete(ctx, path, version); err != nil {
		r.cfg.Logger.Debug("remove a registry record", "path", path, "err", err)
	}
}

// service checks a service's record, and makes it agree with its lane.
func (r *Reconciler) service(ctx context.Context, path, name string, entry tree.Entry, parked map[subjects.Name]string) {
	service, err := subjects.ParseName(name)
	if err != nil {
		return // reported as misnamed
	}
	r.cfg.Book.Seen(path)
	found, newer, err := record.ParseService(entry.Value)
	switch {
	case err != nil:
		r.alarms.raise(path, fmt.Sprintf("registry record %s is ignored: %v", path, err))
		return
	case newer:
		parked[service] = fmt.Sprintf("registry record %s was written by a newer replhub; upgrade this hub", path)
		r.alarms.raise(path, parked[service])
		return
	}
	l := r.cfg.Lanes.Get(service)
	if l == nil && r.cfg.Book.LeftBehind(service, entry.Value) {
		r.remove(ctx, path, entry.Version)
		return
	}
	if l == nil || !l.Owned() || len(l.Status().State.Interests) == 0 || found.Same(l.Status().State) {
		return
	}
	state, err := r.cfg.Lanes.State(ctx, service)
	if err != nil || found.Same(state) {
		return // an unreadable lane is reported elsewhere
	}
	r.write(ctx, path, entry.Version, record.Encode(record.OfService(state)))
}

// putBack writes the records of a lane's interests that are not in the registry. A
// record that was there before was not removed by unregistering.
func (r *Reconciler) putBack(ctx context.Context, snapshot *tree.Snapshot, l *lane.Lane) {
	if len(agree.Missing(snapshot.Entries, l.Service(), l.Status().State)) == 0 {
		return
	}
	state, err := r.cfg.Lanes.State(ctx, l.Service())
	if err != nil {
		return
	}
	write := func(path string, value []byte) {
		had := r.cfg.Book.WasSeen(path) // read this first: a concurrent registration also writes the record
		if err := r.cfg.Book.Overwrite(ctx, path, value, tree.Absent); err != nil {
			if !errors.Is(err, tree.ErrConflict) {
				r.cfg.Logger.Debug("put a registry record back", "path", path, "err", err)
			}
			return
		}
		if had {
			// Stays raised until the interest ends: somebody should find out who
			// deletes records.
			r.cfg.Alarms.Raise(alarm.About{Kind: alarm.RecordVanished, Name: path}, fmt.Sprintf("registry record %s vanished without unregister and was put back; records are deleted by `replhub unregister` alone", path))
		}
	}
	for _, w := range agree.Missing(snapshot.Entries, l.Service(), state) {
		write(w.Path, w.Value)
	}
}
