package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
)

// judgeHubs judges the hubs by what they say of themselves.
func judgeHubs(f *facts, r *Report) {
	if f.cfg.Conn == nil {
		return // told as server.reachable
	}
	g := r.group(GroupHubs)
	switch {
	case len(f.status) > 0:
	case errors.Is(f.statusErr, nats.ErrNoResponders):
		g.fail("hubs.running", "", "no hub answers", "start one with replhub serve; if one runs, check that it has this server, account and domain")
		return
	case errors.Is(f.statusErr, errDenied):
		g.unseen("hubs.running", "", "the hubs: "+f.statusErr.Error(), "use credentials of an operator or observer ('replhub auth observer')")
	default:
		g.fail("hubs.running", "", fmt.Sprintf("the hubs do not answer: %v", f.statusErr), "look at the hub's log and at /readyz")
		return
	}
	f.judgeHeard(g)
	for i := range f.status {
		judgeStatus(g, &f.status[i])
	}
	f.judgeVersions(g)
	f.judgePolicies(g)
}

// judgeHeard names the hubs that have answered and those that have not.
func (f *facts) judgeHeard(g group) {
	var members []string
	for i := range f.status {
		members = append(members, f.status[i].Hubs...)
	}
	for _, h := range f.hubs {
		members = append(members, h.Hub)
	}
	slices.Sort(members)
	for _, hub := range slices.Compact(members) {
		heard := slices.ContainsFunc(f.status, func(s hubStatus) bool { return s.Hub == hub })
		placed := slices.ContainsFunc(f.hubs, func(h hubFact) bool { return h.Hub == hub })
		switch {
		case heard:
			g.pass("hubs.running", hub, "the hub runs")
		case placed:
			g.pass("hubs.running", hub, "the hub runs; another one, nearer to this machine, answers for it")
		case f.hubsErr != nil:
			g.unseen("hubs.running", hub, "a hub nearer to this machine answers for it", "connect to its server, or look at its /readyz with --http")
		default:
			g.warn("hubs.running", hub, "the other hubs count it, and it does not answer", "look again in a few seconds; then look at that hub")
		}
	}
}

func judgeStatus(g group, s *hubStatus) {
	if !s.Ready {
		g.fail("hubs.ready", s.Hub, "the hub cannot copy events", "its /readyz and its log say why")
	} else {
		g.pass("hubs.ready", s.Hub, "the hub copies events")
	}
	for _, text := range s.Degraded {
		g.warn("hubs.degraded", s.Hub, text, "")
	}
	for _, text := range s.Registry.Alarms {
		if !slices.Contains(s.Degraded, text) {
			g.warn("hubs.alarm", s.Hub, text, "")
		}
	}
	if full := s.Ingest.Full; full != nil && !slices.Contains(s.Degraded, full.Message) {
		g.warn("hubs.ingest_full", s.Hub, full.Message, "")
	}
}

// judgeVersions compares the versions of the hubs.
func (f *facts) judgeVersions(g group) {
	versions := map[string][]string{}
	note := func(hub, version string) {
		if version != "" && !slices.Contains(versions[version], hub) {
			versions[version] = append(versions[version], hub)
		}
	}
	for i := range f.status {
		note(f.status[i].Hub, f.status[i].Version)
	}
	for _, h := range f.hubs {
		note(h.Hub, h.Version)
	}
	var all []string
	for version, hubs := range versions {
		all = append(all, version+" ("+strings.Join(hubs, ", ")+")")
	}
	slices.Sort(all)
	switch {
	case len(all) > 1:
		g.warn("hubs.versions", "", "the hubs have different versions: "+strings.Join(all, "; "), "complete the upgrade")
	case len(all) == 1:
		g.pass("hubs.versions", "", "version "+all[0])
	}
}

func (f *facts) judgePolicies(g group) {
	if len(f.status) == 0 {
		return
	}
	if f.policiesErr != nil {
		g.unseen("hubs.policies", "", fmt.Sprintf("the policies of the entities' owners: %v", f.policiesErr), "")
		return
	}
	for _, p := range f.policies.Policies {
		if p.Problem != "" {
			g.fail("hubs.policies", p.Entity, p.Problem, "the entity's owner states the policy again: 'replhub policy set'")
		}
	}
	rule := "entities without a policy are open to every service"
	if f.policies.Required {
		rule = "entities without a policy are closed (" + contract.EnvPolicy + "=required)"
	}
	g.pass("hubs.policies", "", fmt.Sprintf("%d policies; %s", len(f.policies.Policies), rule))
}
