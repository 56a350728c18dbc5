package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/model"
)

// registryStream is the registry's name as an object of actions and requests.
const registryStream = "registry"

// registry is what all hubs share of interests: ZooKeeper, or a bucket.
type registry struct {
	w *World
	// on says that the hubs of this run have a registry.
	on      bool
	records *model.Records
	// copied is a backup.
	copied map[string]tree.Entry
	// made counts the records that were made by hand, and requests has those of which the
	// interest is not in force yet.
	made     int
	requests map[place]request
	// cache has the records that hubs have read.
	cache record.Cache
	// sessions are the hubs that are told of changes, with the numbers of their sessions.
	sessions map[*hub]int
}

// place is a record at a version.
type place struct {
	path    string
	version tree.Version
}

// request is a record that was made by hand: its number and when it was made.
type request struct {
	number int
	at     time.Time
}

// put writes a record.
func (r *registry) put(path string, value []byte, expect tree.Version) error {
	_, err := r.records.Put(path, value, expect)
	if err == nil {
		r.w.trace("  registry: %s is %s", path, value)
		r.notify(path)
	}
	return err
}

// claim writes an id into a record that was made by hand.
func (r *registry) claim(path string, value []byte, expect tree.Version) error {
	of, is := r.requests[place{path, r.records.Entries[path].Version}]
	err := r.put(path, value, expect)
	if err == nil && is {
		r.requests[place{path, r.records.Last}] = of
	}
	return err
}

// request is the record that was made by hand at a path, if there is one.
func (r *registry) request(path string) request {
	return r.requests[place{path, r.records.Entries[path].Version}]
}

// byHand makes a record by hand.
func (r *registry) byHand(path string) {
	_ = r.put(path, nil, tree.Any) // it succeeds for any version
	r.made++
	r.requests[place{path, r.records.Last}] = request{r.made, r.w.now}
}

// remove removes a record.
func (r *registry) remove(path string, expect tree.Version) error {
	err := r.records.Delete(path, expect)
	if err == nil {
		r.w.trace("  registry: %s is removed", path)
		r.notify(path)
	}
	return err
}

// notify sends a change to the hubs, to each one in the order of the changes.
func (r *registry) notify(path string) {
	now, there := r.records.Entries[path]
	for _, h := range r.w.hubs {
		if session, is := r.sessions[h]; is {
			h.watched(session, func(entries map[string]tree.Entry) {
				if there {
					entries[path] = now
				} else {
					delete(entries, path)
				}
			})
		}
	}
}

// act performs an action on the registry.
func (r *registry) act(a Action) {
	if !r.on {
		if a.Verb == Registry {
			*r = registry{w: r.w, on: true, records: model.NewRecords(), requests: make(map[place]request), cache: make(record.Cache), sessions: make(map[*hub]int)}
			for _, h := range r.w.hubs {
				h.load()
			}
		}
		return
	}
	path := record.InterestPath(entities[a.N%len(entities)], r.w.named(a.On))
	switch a.Verb { //nolint:exhaustive // World.Do takes the others
	case ByHand:
		r.byHand(path)
	case Vanish:
		_ = r.remove(path, tree.Any) // it may be gone
	case Wipe:
		clear(r.records.Entries)
		r.expire()
	case Copy:
		r.copied = maps.Clone(r.records.Entries)
	case Restore:
		if r.copied != nil {
			r.bringBack()
		}
	case Away:
		r.w.away[registryStream] = true
		r.expire()
	case Back:
		delete(r.w.away, registryStream)
	}
}

// bringBack puts the registry back to its copy. Requests that are in the copy register
// again. The time at which they were made stays: a registration that answers such a request
// may write its record, at the same version.
func (r *registry) bringBack() {
	r.records.Entries = maps.Clone(r.copied)
	for _, path := range slices.Sorted(maps.Keys(r.records.Entries)) {
		if before := r.request(path); before.number > 0 {
			r.made++
			r.requests[place{path, r.records.Entries[path].Version}] = request{r.made, before.at}
		}
	}
	r.expire()
}

// expire ends all hubs' sessions.
func (r *registry) expire() {
	for _, h := range r.w.hubs {
		h.expire()
	}
}

// agreement judges that the registry says what is in force, once hubs have looked.
func (r *registry) agreement() {
	if !r.on {
		return
	}
	for _, s := range r.w.services {
		state, lane := r.w.judge.states[s.text], r.w.lanes[s.text]
		if lane == nil {
			continue
		}
		for _, entity := range entities {
			path := record.InterestPath(entity, s.name)
			have, there := r.records.Entries[path]
			found, _, err := record.ParseInterest(have.Value)
			in := state.Find(entity)
			switch {
			case err != nil:
				r.w.judge.fail("V: the registry has %q at %s: %v", have.Value, path, err)
			case in != nil && (!there || string(have.Value) != string(record.Encode(record.Of(*in)))):
				r.w.judge.fail("V: the registry has %q at %s, and %s is in force", have.Value, path, in.ID)
			case in == nil && there && found.Requests() && state.Detached == nil:
				r.w.judge.fail("L: what is registered at %s is not in force", path)
			case in == nil && there && !r.w.judge.lost[found.ID]:
				r.w.judge.fail("V: the registry has %q at %s, and nothing is in force", have.Value, path)
			}
		}
	}
}

// writeThrough writes the record of an interest that a registration put in force. A late
// write must not take the place of a request that was made by hand since the interest
// ended.
func (r *registry) writeThrough(path string, value []byte, expect tree.Version) (tree.Version, error) {
	before := r.request(path)
	err := r.put(path, value, expect)
	found, _, parsed := record.ParseInterest(value)
	if over, is := r.w.judge.over[found.ID]; err == nil && parsed == nil && before.number > 0 && is && over.Before(before.at) {
		r.w.judge.fail("L: the request at %s is overwritten by the record of %s, which was over by then", path, found.ID)
	}
	return r.records.Last, err
}

// removeThrough removes the record of an interest that was ended. answered is when the
// request was answered, if it was: a request that was made by hand since is another one.
func (r *registry) removeThrough(path string, expect tree.Version, answered time.Time) error {
	before := r.request(path)
	err := r.remove(path, expect)
	if err == nil && before.number > 0 && !answered.IsZero() && before.at.After(answered) {
		r.w.judge.fail("L: the request at %s is removed with the interest before it", path)
	}
	return err
}

// requested notes that a record made by hand is registered as an interest. Each such
// record is one registration.
func (j *judge) requested(by request, id string) {
	if by.number > 0 {
		j.handOf[id] = by.number
	}
}

// adopted judges an interest that comes in force: the record that it was registered from
// made no other interest.
func (j *judge) adopted(lane, id string) {
	hand := j.handOf[id]
	if hand == 0 {
		return
	}
	if first := j.firstOf[hand]; first != "" && first != id {
		j.fail("P: lane %s has interest %s of a record that was registered already, as %s", lane, id, first)
	}
	j.firstOf[hand] = id
	// A request whose record has no since yet registers again after its lane was deleted.
	delete(j.over, id)
}
