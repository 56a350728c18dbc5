package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
)

// registryStream is the registry's name as an object of actions and requests.
const registryStream = "registry"

// registry is what all hubs share of interests: ZooKeeper, or a bucket. Each write of a
// record gives it a higher version.
type registry struct {
	// on says that the hubs of this run have a registry.
	on      bool
	records map[string]tree.Entry
	last    tree.Version
	// copied is a backup.
	copied map[string]tree.Entry
	// made counts the records that were made by hand, and requests has those of which the
	// interest is not in force yet.
	made     int
	requests map[place]request
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

// put writes a record, as Put of the registry does.
func (w *World) put(path string, value []byte, expect tree.Version) error {
	r := &w.registry
	have, there := r.records[path]
	if expect == tree.Absent && there || expect >= 0 && (!there || have.Version != expect) {
		return tree.ErrConflict
	}
	r.last++
	r.records[path] = tree.Entry{Value: value, Version: r.last}
	w.trace("  registry: %s is %s", path, value)
	w.notify(path)
	return nil
}

// claim writes an id into a record that was made by hand.
func (w *World) claim(path string, value []byte, expect tree.Version) error {
	of, is := w.registry.requests[place{path, expect}]
	err := w.put(path, value, expect)
	if err == nil && is {
		w.registry.requests[place{path, w.registry.last}] = of
	}
	return err
}

// request is the record that was made by hand at a path, if there is one.
func (w *World) request(path string) request {
	return w.registry.requests[place{path, w.registry.records[path].Version}]
}

// byHand makes a record by hand.
func (w *World) byHand(path string) {
	_ = w.put(path, nil, tree.Any) // it succeeds for any version
	w.registry.made++
	w.registry.requests[place{path, w.registry.last}] = request{w.registry.made, w.now}
}

// remove removes a record, as Delete of the registry does.
func (w *World) remove(path string, expect tree.Version) error {
	r := &w.registry
	have, there := r.records[path]
	switch {
	case !there:
		return tree.ErrNotFound
	case expect != tree.Any && have.Version != expect:
		return tree.ErrConflict
	}
	r.last++
	delete(r.records, path)
	w.trace("  registry: %s is removed", path)
	w.notify(path)
	return nil
}

// notify sends a change to the hubs, to each one in the order of the changes.
func (w *World) notify(path string) {
	now, there := w.registry.records[path]
	for _, h := range w.hubs {
		if session, is := w.registry.sessions[h]; is {
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

// onRegistry performs an action on the registry.
func (w *World) onRegistry(a Action) {
	if !w.registry.on {
		if a.Verb == Registry {
			w.registry = registry{on: true, records: make(map[string]tree.Entry), requests: make(map[place]request), sessions: make(map[*hub]int)}
			for _, h := range w.hubs {
				h.load()
			}
		}
		return
	}
	path := record.InterestPath(entities[a.N%len(entities)], w.named(a.On))
	switch a.Verb { //nolint:exhaustive // World.Do takes the others
	case ByHand:
		w.byHand(path)
	case Vanish:
		_ = w.remove(path, tree.Any) // it may be gone
	case Wipe:
		w.registry.records = make(map[string]tree.Entry)
		w.expire()
	case Copy:
		w.registry.copied = maps.Clone(w.registry.records)
	case Restore:
		if w.registry.copied != nil {
			w.bringBack()
		}
	case Away:
		w.away[registryStream] = true
		w.expire()
	case Back:
		delete(w.away, registryStream)
	}
}

// bringBack puts the registry back to its copy. Requests that are in the copy are made
// again.
func (w *World) bringBack() {
	w.registry.records = maps.Clone(w.registry.copied)
	for _, path := range slices.Sorted(maps.Keys(w.registry.records)) {
		if w.request(path).number > 0 {
			w.registry.made++
			w.registry.requests[place{path, w.registry.records[path].Version}] = request{w.registry.made, w.now}
		}
	}
	w.expire()
}

// expire ends all hubs' sessions.
func (w *World) expire() {
	for _, h := range w.hubs {
		h.expire()
	}
}

// agreement judges that the registry says what is in force, once hubs have looked.
func (w *World) agreement() {
	if !w.registry.on {
		return
	}
	for _, s := range w.services {
		state, lane := w.judge.states[s.text], w.lanes[s.text]
		if lane == nil {
			continue
		}
		for _, entity := range entities {
			path := record.InterestPath(entity, s.name)
			have, there := w.registry.records[path]
			found, _, err := record.ParseInterest(have.Value)
			in := state.Find(entity)
			switch {
			case err != nil:
				w.judge.fail("V: the registry has %q at %s: %v", have.Value, path, err)
			case in != nil && (!there || string(have.Value) != string(record.Encode(record.Of(*in)))):
				w.judge.fail("V: the registry has %q at %s, and %s is in force", have.Value, path, in.ID)
			case in == nil && there && found.Requests() && state.Detached == nil:
				w.judge.fail("L: what is registered at %s is not in force", path)
			case in == nil && there && !w.judge.lost[found.ID]:
				w.judge.fail("V: the registry has %q at %s, and nothing is in force", have.Value, path)
			}
		}
	}
}

// writeThrough writes the record of an interest that a registration put in force. A late
// write must not take the place of a request that was made by hand since the interest
// ended.
func (w *World) writeThrough(path string, value []byte, expect tree.Version) (tree.Version, error) {
	before := w.request(path)
	err := w.put(path, value, expect)
	found, _, parsed := record.ParseInterest(value)
	if over, is := w.judge.over[found.ID]; err == nil && parsed == nil && before.number > 0 && is && over.Before(before.at) {
		w.judge.fail("L: the request at %s is overwritten by the record of %s, which was over by then", path, found.ID)
	}
	return w.registry.last, err
}

// removeThrough removes the record of an interest that was ended. answered is when the
// request was answered, if it was: a request that was made by hand since is another one.
func (w *World) removeThrough(path string, expect tree.Version, answered time.Time) error {
	before := w.request(path)
	err := w.remove(path, expect)
	if err == nil && before.number > 0 && !answered.IsZero() && before.at.After(answered) {
		w.judge.fail("L: the request at %s is removed with the interest before it", path)
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
}
