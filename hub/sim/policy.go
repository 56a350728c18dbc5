package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

// policy is the policy of an entity, as the registry has it: for all services alike.
type policy struct {
	rev    uint64
	fields []string // nil is all
}

// granted is what a policy allows an interest; nil for none.
func (p policy) granted() *record.Policy {
	if p.rev == 0 {
		return nil
	}
	return &record.Policy{Rev: p.rev, Grant: contract.Grant{Fields: p.fields}}
}

// fieldsOf are what policies allow. Every event has the members id and secret.
//
//nolint:gochecknoglobals // a table
var fieldsOf = [][]string{{"id"}, nil, {"id", "secret"}, {"id"}}

// hides reports whether a policy hides the secret.
func hides(p *record.Policy) bool {
	return p != nil && len(p.Grant.Fields) > 0 && !slices.Contains(p.Grant.Fields, "secret")
}

// policies is the registry's part that holds policies. It never goes back here.
type policies struct {
	// on says that events have a secret in this run.
	on     bool
	stored map[string]policy
	revs   uint64
}

// payload is where a copy's headers hold its payload here.
const payload = "Sim-Payload"

// setter is a change of a policy by one hub, as package policy makes it.
type setter struct {
	h      *hub
	self   *process
	entity string
	policy policy
	began  time.Time
}

// setPolicy begins to change a policy: n says of which entity, and to what.
func (h *hub) setPolicy(n int) {
	w := h.w
	if !w.policies.on {
		return
	}
	w.policies.revs++
	s := &setter{h: h, entity: entities[n%len(entities)], began: w.now, policy: policy{w.policies.revs, fieldsOf[n/len(entities)%len(fieldsOf)]}}
	s.self = &process{name: h.name + "/policy", hub: h}
	var now retention.PolicyMark
	var under retention.Ledger
	mark := retention.PolicyMark{Rev: s.policy.rev, Sum: fmt.Sprint(s.policy.fields)}
	h.perform(s.self, retention.MarkPolicy(s.entity, mark, 1<<16, func(m retention.PolicyMark, l retention.Ledger) retention.Step {
		now, under = m, l
		return retention.Done{}
	}), nil, func(err error) {
		if err == nil && now.Rev == s.policy.rev {
			s.store(under)
		}
	})
}

// store stores the policy in the registry, unless that has a later one, and waits for the
// registrations that may not know of it.
func (s *setter) store(under retention.Ledger) {
	w := s.h.w
	stored := false
	w.ask(s.self, "", "policy", func() error {
		if stored = w.policies.stored[s.entity].rev < s.policy.rev; stored {
			w.policies.stored[s.entity] = s.policy
			w.trace("  policy of %s is %+v", s.entity, s.policy)
		}
		return nil
	}, func(err error) {
		if err == nil && stored {
			s.wait(under)
		}
	})
}

// longest is how long a registration takes at most, as far as policies know: the lane of
// one that takes longer is fenced.
const longest = 10 * time.Second

// wait gives up if a registration that was under way has not ended. Hubs put the policy in
// force later.
func (s *setter) wait(under retention.Ledger) {
	over := false
	s.h.perform(s.self, retention.ReadLedger{Then: func(r retention.Read) retention.Step {
		working, _ := under.UnderWay(s.h.ingestNow(), longest)
		over = len(working) == 0 || !r.Ledger.StillPinned(working)
		return retention.Done{}
	}}, nil, func(err error) {
		if err != nil || !over {
			return
		}
		_, left := under.UnderWay(s.h.ingestNow(), longest)
		fence := make(map[string]bool)
		for _, service := range left {
			fence[service.String()] = true
		}
		s.h.list(s.self, func(names []service, err error) {
			if err == nil {
				s.into(names, fence)
			}
		})
	})
}

// into puts the policy in force in one lane after the other, and then notes that it is in
// force in all.
func (s *setter) into(lanes []service, fence map[string]bool) {
	if len(lanes) == 0 {
		s.h.perform(s.self, retention.PolicyInForce(s.entity, s.policy.rev, func() retention.Step { return retention.Done{} }), nil, func(err error) {
			if err == nil {
				s.h.w.judge.policySet(s)
			}
		})
		return
	}
	lane := lanes[0]
	s.h.layPolicy(s.self, lane, s.entity, s.policy, fence[lane.text], func(a core.Answer) {
		in := a.State.Find(s.entity)
		late := in != nil && in.Policy != nil && in.Policy.Rev > s.policy.rev
		if a.Err == nil && !late || a.Err == errNoLane { //nolint:errorlint // as the servers say it
			s.into(lanes[1:], fence)
		}
	})
}

// layPolicy lays a policy over the interest in one lane.
func (h *hub) layPolicy(p *process, s service, entity string, of policy, fence bool, then func(core.Answer)) {
	c := &change{w: h.w, service: s, self: p, answer: then}
	c.lay = func(tip record.Tip) (record.State, bool) {
		next, changed := tip.State.LayPolicy(entity, of.rev, of.granted())
		return next, changed || fence
	}
	c.queue(h, h.w.service(s.text))
}

// lookAtPolicies puts policies in force in the lanes of this hub that a change did not
// reach.
func (h *hub) lookAtPolicies() {
	w := h.w
	p := &process{name: h.name + "/policies", hub: h}
	stored, marks := make(map[string]policy), make(map[string]retention.PolicyMark)
	h.perform(p, retention.ReadLedger{Then: func(r retention.Read) retention.Step {
		marks = r.Ledger.Policies
		return retention.Done{}
	}}, nil, func(err error) {
		if err != nil {
			return
		}
		w.ask(p, "", "policies", func() error {
			maps.Copy(stored, w.policies.stored)
			return nil
		}, func(err error) {
			if err != nil {
				return
			}
			for i, s := range w.services {
				for _, entity := range entities {
					of := stored[entity]
					if h.writers[i] == nil || !h.owns[i] || of.rev == 0 || marks[entity].Rev > of.rev {
						continue // what is in force stays
					}
					in := h.writers[i].lane.Tip().State.Find(entity)
					if in != nil && (in.Policy == nil || in.Policy.Rev < of.rev) {
						h.layPolicy(p, s, entity, of, false, func(core.Answer) {})
					}
				}
			}
		})
	})
}

// settlePolicies states the policies again that were begun and not stored, and has the hubs
// put all in force.
func (e ending) settlePolicies() {
	if !e.policies.on {
		return
	}
	e.judge.settleMarks()
	for n := range entities {
		e.hubs[0].setPolicy(n)
	}
	e.rest()
	for _, h := range e.hubs {
		h.lookAtPolicies()
	}
}

// policyOf is the policy of a new interest; ok is false if it is not known. The
// registration has set its pin.
func (c *change) policyOf() (p *record.Policy, ok bool) {
	of := c.w.policies.stored[c.entity]
	return of.granted(), c.anchor.Policy(c.entity).Rev <= of.rev
}

// private is what the judge knows of policies.
type private struct {
	// inForce are the revisions that hubs said to be in force, by lane and entity, and
	// wentBackAt is when a lane was put back to an older copy.
	inForce    map[string]uint64
	wentBackAt map[string]time.Time
	// unmarked are those lanes and entities of inForce of which the ledger said so, and was
	// deleted since.
	unmarked map[string]bool
}

// marksLost notes that the ledger is deleted. The hubs that know the policies in force hold
// the lanes that were put back. A hub that does not know them cannot.
func (j *judge) marksLost() {
	for key := range j.inForce {
		j.unmarked[key] = true
	}
}

// excused reports whether a hub that copies into a lane cannot know that a policy is in
// force.
func (j *judge) excused(by *hub, lane, entity string) bool {
	key := lane + "/" + entity
	return j.unmarked[key] && by.inForce[entity] < j.inForce[key]
}

// settleMarks judges that a ledger which was deleted has got back the policies that are in
// force, as far as a hub knows them that remembers a ledger from since then.
func (j *judge) settleMarks() {
	m, err := j.w.ledger.GetLast(ledgerSubject)
	if err != nil {
		return
	}
	ledger, _ := m.Value.(retention.Ledger) // there is nothing else
	for _, h := range j.w.hubs {
		for _, entity := range entities {
			if have := ledger.Policies[entity].InForce; h.sawLedger == j.w.forgets && have < h.inForce[entity] {
				j.fail("P: %s knows that the policy of %s of revision %d is in force, and the ledger has %d", h.name, entity, h.inForce[entity], have)
			}
		}
	}
}

// learn notes which policies a ledger says to be in force.
func (h *hub) learn(l *retention.Ledger) {
	for entity, m := range l.Policies {
		h.inForce[entity] = max(h.inForce[entity], m.InForce)
	}
}

// policySet takes a change of a policy that is answered: it is in force in every lane. A
// lane that was put back meanwhile, behind the record of the policy, is not simulated.
func (j *judge) policySet(s *setter) {
	j.w.Counts.Policies++
	j.w.trace("  policy of %s, revision %d, is in force", s.entity, s.policy.rev)
	for _, lane := range j.w.services {
		if key := lane.text + "/" + s.entity; j.wentBackAt[lane.text].Before(s.began) {
			j.inForce[key] = max(j.inForce[key], s.policy.rev)
			delete(j.unmarked, key)
		}
	}
}

// obeys judges a copy of a hub that came into a lane by the policy in the lane's state record, and
// that record by the policies that were said to be in force. again says that the copy was
// redriven.
func (j *judge) obeys(by *hub, lane string, e *stored, h headers, again bool) {
	if !j.w.policies.on || !e.event.secret {
		return
	}
	in := new(record.Interest)
	state := j.states[lane]
	if have := state.Find(e.event.entity); have != nil {
		in = have
	} else if !again {
		return
	}
	rev := uint64(0)
	if in.Policy != nil {
		rev = in.Policy.Rev
	}
	shows := strings.Contains(head(h[payload]), "secret")
	switch {
	case in.ID != "" && rev < j.inForce[lane+"/"+e.event.entity] && !j.excused(by, lane, e.event.entity):
		j.fail("P: lane %s copies event %d by the policy of revision %d, and that of %d is in force", lane, e.index, rev, j.inForce[lane+"/"+e.event.entity])
	case shows && hides(in.Policy):
		j.fail("P: lane %s holds a member of event %d that the policy in its record hides", lane, e.index)
	case !shows && !hides(in.Policy) && !again:
		j.fail("L: lane %s lacks a member of event %d that the policy in its record allows", lane, e.index)
	}
}
