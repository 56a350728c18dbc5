package sim

import (
	"encoding/json"
	"time"

	"github.com/replhub/replhub/hub/internal/partition"
	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/queue"
)

const (
	ms = time.Millisecond
	// joinEvery and joinTimeout are those of membership.go.
	joinEvery   = 700 * ms
	joinTimeout = time.Second
	// rosterStream has the rosters of the services.
	rosterStream = "MEMBERS"
)

// membership keeps an instance's share of the partitions, as the SDK's does.
type membership struct {
	generation uint64
	joinAt     time.Time
	// joining is set while a request is under way, sent when it was sent; joins counts
	// the requests.
	joining bool
	sent    time.Time
	joins   int
	// leaseFrom is from when the lease counts, by the answers of hubs. lapsed is
	// World.took when the last lease was found to be over.
	leaseFrom time.Time
	lapsed    int
}

// join is a round of the membership: it asks a hub, or gives up to wait for its answer.
func (i *instance) join(hub int) {
	if i.core == nil || !i.ordered || i.ending {
		return
	}
	now := i.w.now
	if i.joining {
		if now.Sub(i.sent) >= joinTimeout {
			i.unanswered(queue.NoAnswer)
		}
		return
	}
	if now.Before(i.joinAt) {
		return
	}
	if i.lapsedNow() {
		i.lapsed, i.leaseFrom = i.w.took, now
	}
	i.core.CheckLease(now)
	i.perform()
	if i.core == nil {
		return
	}
	i.joining, i.sent = true, now
	i.joins++
	n, core := i.joins, i.core
	i.request(contract.Join{Instance: i.id, Holding: i.holding(), Generation: i.generation}, hub, func(reply contract.Joined, err error) {
		if i.joins != n || !i.joining || core != i.core {
			return
		}
		if err != nil {
			i.unanswered(queue.NoHub)
			return
		}
		i.assigned(reply)
	})
}

// holding are the partitions that the instance works on.
func (i *instance) holding() []int {
	if i.w.cfg.Flaw != FreedAtOnce {
		return i.core.Held()
	}
	var held []int
	for _, src := range i.core.Sources() {
		if !src.Owner.(*feed).ended { //nolint:forcetypeassert // set by subscribe
			held = append(held, src.Partition)
		}
	}
	return held
}

// assigned takes a hub's answer.
func (i *instance) assigned(reply contract.Joined) {
	i.joining, i.generation = false, reply.Generation
	for _, p := range reply.Assigned {
		if last := &i.w.holders[i.index][p]; *last != i.id {
			*last = i.id
			i.w.Counts.Handovers++
		}
	}
	i.joinAt = i.w.now.Add(joinEvery)
	i.w.trace("  %s: is assigned %v, generation %d", i.name, reply.Assigned, reply.Generation)
	ttl := time.Duration(reply.TTL)
	if i.w.cfg.Flaw == LeaseForever {
		ttl = 1000 * time.Hour
	}
	if i.core.Assigned(i.w.now, i.sent, ttl, reply.Assigned) {
		i.joinAt = i.w.now
	}
	i.renew(i.sent)
	i.perform()
}

// unanswered notes that a request got no answer. The lease goes on only where the server
// knows no hub.
func (i *instance) unanswered(why queue.Silence) {
	i.w.trace("  %s: no answer (%d)", i.name, why)
	i.joining = false
	i.joinAt = i.sent.Add(joinEvery)
	i.core.Unanswered(i.w.now, i.sent, why)
	if why == queue.NoHub && i.w.now.Sub(i.leaseFrom) <= partition.TTL {
		i.renew(i.sent)
	}
	i.perform()
}

// renew notes a lease that counts from a time. The one before has lapsed if it is over
// by now.
func (i *instance) renew(from time.Time) {
	if i.lapsedNow() {
		i.lapsed = i.w.took
	}
	if from.After(i.leaseFrom) {
		i.leaseFrom = from
	}
}

// lapsedNow reports whether the lease is over.
func (i *instance) lapsedNow() bool { return i.ordered && i.w.now.Sub(i.leaseFrom) > partition.TTL }

// farewell tells a hub that the instance leaves.
func (i *instance) farewell() {
	i.request(contract.Join{Instance: i.id, Generation: i.generation, Leaving: true}, 0, func(contract.Joined, error) {})
}

// request sends a request to the hubs, of which one takes it: the one of a number, where
// it lives.
func (i *instance) request(req contract.Join, hub int, then func(contract.Joined, error)) {
	w := i.w
	reply := func(r contract.Joined, err error) {
		if !i.asking.dead {
			w.calls = append(w.calls, &call{from: i.asking, what: "joined", then: func(lost error) {
				if lost == nil {
					then(r, err)
				}
			}})
		}
	}
	w.ask(i.asking, "", "join", func() error {
		for n := range w.hubs {
			if h := w.hubs[(hub+n)%hubCount]; h.alive {
				h.forward(i.index, req, reply)
				return nil
			}
		}
		reply(contract.Joined{}, errLost) // no responders
		return nil
	}, nil)
}

// forward hands a request to the hub that owns the lane, if that is there.
func (h *hub) forward(service int, req contract.Join, reply func(contract.Joined, error)) {
	name := "/" + h.w.services[service].text + ".join"
	h.w.ask(&process{name: h.name + name, hub: h}, "", "take", func() error { return nil }, func(err error) {
		if err != nil {
			return
		}
		owner := h
		for _, other := range h.w.hubs {
			if !h.owns[service] && other.alive && !other.frozen && other.owns[service] {
				owner = other
			}
		}
		p := &process{name: owner.name + name, hub: owner}
		owner.hearings[service].enter(func() { owner.hear(p, service, req, reply) })
	})
}

// hearings take the requests of a service one after the other.
type hearings struct {
	partition.Hearing

	busy bool
	next []func()
}

func (q *hearings) enter(hear func()) {
	if q.busy {
		q.next = append(q.next, hear)
		return
	}
	q.busy = true
	hear()
}

func (q *hearings) leave() {
	if q.busy = len(q.next) > 0; q.busy {
		hear := q.next[0]
		q.next = q.next[1:]
		hear()
	}
}

// hear decides on a request by the stored roster.
func (h *hub) hear(p *process, service int, req contract.Join, reply func(contract.Joined, error)) {
	w, s := h.w, h.w.services[service]
	var revision uint64
	r := &partition.Roster{V: 1}
	w.ask(p, rosterStream, "read", func() error {
		if m, err := w.rosters.GetLast(s.text); err == nil {
			revision = m.Seq
			return json.Unmarshal([]byte(m.Data), r)
		}
		return nil
	}, func(err error) {
		if err != nil {
			h.hearings[service].leave() // the instance asks again
			return
		}
		assigned, changed := h.hearings[service].Hear(r, req, h.name, partitionCount, w.now)
		answer := func() {
			reply(contract.Joined{
				Service: s.text, Partitions: partitionCount, Assigned: assigned, Members: len(r.Members),
				TTL: contract.Duration(partition.TTL), Generation: r.Generation,
			}, nil)
			h.hearings[service].leave()
		}
		if !changed {
			answer()
			return
		}
		h.storeRoster(p, s, r, revision, func(stored bool, err error) {
			switch {
			case err != nil:
				h.hearings[service].leave()
			case !stored:
				h.hear(p, service, req, reply) // another hub was first
			default:
				answer()
			}
		})
	})
}

// storeRoster stores a roster if the stored one is still that of a revision.
func (h *hub) storeRoster(p *process, s service, r *partition.Roster, revision uint64, then func(stored bool, err error)) {
	w := h.w
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	stored := false
	w.ask(p, rosterStream, "write", func() error {
		_, err := w.rosters.Publish(model.Publish{Subject: s.text, Data: string(data), LastSubject: &revision}, w.now)
		if stored = err == nil; stored {
			w.trace("  roster of %s: %s", s.text, data)
		}
		return nil
	}, func(err error) { then(stored, err) })
}
