package partition

import (
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// TTL is how long a silent instance keeps its partitions.
const TTL = 3 * time.Second

// presence records when the instances of one service were last heard. It is pure: the
// time is an argument.
type presence struct {
	seen map[string]time.Time
	last time.Time // of any instance
}

func newPresence() presence { return presence{seen: make(map[string]time.Time)} }

// hear applies a request to a roster, and reports whether the roster is to be stored.
func (p *presence) hear(r *Roster, req contract.Join, hub string, partitions int, now time.Time) bool {
	changed := r.resize(partitions)
	changed = r.recover(&req) || changed
	if r.By != hub {
		clear(p.seen)
		r.By, changed = hub, true
	}
	if now.Sub(p.last) > TTL/2 {
		clear(p.seen) // this hub may have stood still, or no instance has asked it
	}
	p.last = now
	for _, id := range r.present() {
		if _, known := p.seen[id]; !known {
			p.seen[id] = now
		}
	}
	p.seen[req.Instance] = now
	changed = r.expire(func(id string) bool { return p.silent(id, now) }) || changed
	return r.apply(req) || changed
}

// silent reports whether an instance that was heard has been silent for its time.
func (p *presence) silent(id string, now time.Time) bool {
	seen, heard := p.seen[id]
	return heard && now.Sub(seen) > TTL
}

// prune removes the silent members from a roster that this hub keeps; a roster of
// another hub stays unchanged.
func (p *presence) prune(r *Roster, hub string, now time.Time) {
	if r.By == hub {
		r.expire(func(id string) bool { return p.silent(id, now) })
	}
}
