package permissions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/subjects"
)

func name(t *testing.T, s string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sharing publishes tenants and serves their rows.
func sharing(t *testing.T, domain string) permissions.Permissions {
	t.Helper()
	tenant := []subjects.Name{name(t, "tenant")}
	return permissions.Service(permissions.ServiceRole{Name: name(t, "sharing"), Publishes: tenant, Snapshots: tenant, Policies: tenant}, domain)
}

// matches reports whether a subject, or another pattern, lies within a pattern.
func matches(pattern, subject string) bool {
	want, have := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case token == ">":
			return len(have) > i
		case len(have) <= i, have[i] == ">":
			return false
		case token != "*" && token != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

func allows(r permissions.Rules, subject string) bool {
	within := func(pattern string) bool {
		pattern, queue, grouped := strings.Cut(pattern, " ")
		to, group, _ := strings.Cut(subject, " ")
		return matches(pattern, to) && (!grouped || queue == group)
	}
	return slices.ContainsFunc(r.Allow, within) && !slices.ContainsFunc(r.Deny, within)
}

func TestServiceMayDoWhatIsItsOwn(t *testing.T) {
	p := sharing(t, "")
	for subject, want := range map[string]bool{
		"replhub.register.sharing":                           true,
		"replhub.join.sharing":                               true,
		"replhub._unavailable.sharing":                       true,
		"$JS.API.CONSUMER.MSG.NEXT.SUB_sharing.workers-3":    true,
		"$JS.API.CONSUMER.INFO.SUB_sharing.workers":          true,
		"$JS.ACK.SUB_sharing.workers.1.17.4.1700000000.0":    true,
		"$JS.ACK._.aBc.SUB_sharing.workers.1.17.4.1700.0":    true,
		"$JS.ACK.hub.aBc.SUB_sharing.workers.1.17.4.17.0.x":  true,
		"dlq.sharing.user.create":                            true,
		"db.tenant.create":                                   true,
		"db.tenant.delete":                                   true,
		"db.user.create":                                     false,
		"db.tenant.other":                                    false,
		"db.tenant.create.more":                              false,
		"replhub.policy.tenant":                              true,
		"replhub.policy.user":                                false,
		"replhub.policies":                                   false,
		"replhub.register.audit":                             false,
		"replhub.drop.sharing":                               false,
		"replhub.pause.sharing":                              false,
		"replhub.rewind.sharing":                             false,
		"replhub.explain.sharing":                            false,
		"replhub.services":                                   false,
		"replhub._detached.sharing":                          false,
		"replhub._snapshot.tenant":                           false,
		"$JS.API.CONSUMER.MSG.NEXT.SUB_audit.workers":        false,
		"$JS.API.CONSUMER.CREATE.SUB_sharing":                false,
		"$JS.API.CONSUMER.CREATE.SUB_sharing.mine":           false,
		"$JS.API.CONSUMER.CREATE.SUB_sharing.m.sub.sharing.": false,
		"$JS.API.CONSUMER.DURABLE.CREATE.SUB_sharing.mine":   false,
		"$JS.API.CONSUMER.RESET.SUB_sharing.workers":         false,
		"$JS.API.CONSUMER.PAUSE.SUB_sharing.workers":         false,
		"$JS.API.STREAM.MSG.GET.SUB_sharing":                 false,
		"$JS.API.STREAM.PURGE.SUB_sharing":                   false,
		"$JS.API.STREAM.INFO.DB":                             false,
		"$JS.ACK.SUB_audit.workers.1.17.4.1700000000.0":      false,
		"$JS.ACK._.aBc.SUB_audit.workers.1.17.4.1700.0":      false,
		"$JS.ACK.SUB_sharing.x.SUB_audit.workers.1.1.1.0.0":  false,
		"$JS.ACK.SUB_audit.workers.SUB_sharing.1.1.0.0":      false, // of the first form, audit's
		"dlq.audit.user.create":                              false,
		"sub.sharing.tenant.create.0":                        false,
		"sub.audit.tenant.create.0":                          false,
		"_INBOX_audit.x":                                     false,
	} {
		if got := allows(p.Publish, subject); got != want {
			t.Errorf("publish on %s: %v", subject, got)
		}
	}
	pushes := permissions.Service(permissions.ServiceRole{Name: name(t, "sharing"), Pauses: true}, "")
	if !allows(pushes.Publish, "replhub.pause.sharing") || allows(pushes.Publish, "replhub.pause.audit") || allows(pushes.Publish, "replhub.resume.sharing") {
		t.Error("a service that pauses must pause itself alone")
	}
	captures := permissions.Service(permissions.ServiceRole{Name: name(t, "sharing"), Records: []string{"db.capture-replhub_sharing.update"}}, "")
	for subject, want := range map[string]bool{
		"db.capture-replhub_sharing.update": true,
		"db.capture-replhub_audit.update":   false,
		"db.capture-replhub_sharing.delete": false,
		"$JS.API.STREAM.MSG.GET.DB":         true,
		"$JS.API.STREAM.INFO.DB":            true,
		"$JS.API.STREAM.MSG.GET.DLQ":        false,
		"$JS.API.STREAM.MSG.DELETE.DB":      false,
		"$JS.API.CONSUMER.CREATE.DB.x":      false,
	} {
		if got := allows(captures.Publish, subject); got != want {
			t.Errorf("a service that captures, publish on %s: %v", subject, got)
		}
	}
	for subject, want := range map[string]bool{
		"_INBOX_sharing.x.y":             true,
		"replhub._detached.sharing":      true,
		"replhub._snapshot.tenant owner": true,
		"replhub._snapshot.tenant":       false,
		"replhub._snapshot.tenant mine":  false,
		"replhub._snapshot.user owner":   false,
		"_INBOX_audit.x":                 false,
		"_INBOX.>":                       false,
		"_INBOX_HUB.>":                   false,
		"*.>":                            false,
		">":                              false,
		"db.>":                           false,
		"sub.sharing.>":                  false,
		"$JS.>":                          false,
	} {
		if got := allows(p.Subscribe, subject); got != want {
			t.Errorf("subscribe to %s: %v", subject, got)
		}
	}
}

// Of two services, neither may do anything that the other may, but for what both
// publish.
func TestServicesShareNothing(t *testing.T) {
	a := permissions.Service(permissions.ServiceRole{Name: name(t, "a")}, "")
	b := permissions.Service(permissions.ServiceRole{Name: name(t, "b")}, "")
	for _, pair := range [][2]permissions.Rules{{a.Publish, b.Publish}, {a.Subscribe, b.Subscribe}} {
		for _, x := range pair[0].Allow {
			for _, y := range pair[1].Allow {
				if overlap(x, y) {
					t.Errorf("%s and %s have subjects in common", x, y)
				}
			}
		}
	}
	if a.AllowResponses != (permissions.Responses{}) {
		t.Errorf("a service that serves no rows may answer: %+v", a.AllowResponses)
	}
}

// overlap reports whether some subject lies within both patterns.
func overlap(x, y string) bool {
	a, b := strings.Split(x, "."), strings.Split(y, ".")
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == ">" || b[i] == ">":
			return true
		case a[i] != "*" && b[i] != "*" && a[i] != b[i]:
			return false
		}
	}
	return len(a) == len(b)
}

func TestDomain(t *testing.T) {
	p := sharing(t, "leaf")
	if !allows(p.Publish, "$JS.leaf.API.CONSUMER.MSG.NEXT.SUB_sharing.workers") || allows(p.Publish, "$JS.API.CONSUMER.MSG.NEXT.SUB_sharing.workers") {
		t.Errorf("JetStream is not asked by its domain: %q", p.Publish.Allow)
	}
}

func TestOtherRoles(t *testing.T) {
	hub, operator, observer := permissions.Hub(""), permissions.Operator(""), permissions.Observer()
	for _, tt := range []struct {
		who     string
		p       permissions.Permissions
		subject string
		want    bool
	}{
		{"hub", hub, "$JS.API.STREAM.SNAPSHOT.SUB_audit", true},
		{"hub", hub, "$JS.SNAPSHOT.ACK.SUB_audit.x", true},
		{"hub", hub, "$JS.ACK.REPLHUB_ADVISORIES.letters.1.2.3.4.5", true},
		{"hub", hub, "sub.audit._state", true},
		{"hub", hub, "db.user.create", false},
		{"hub", hub, "_INBOX_audit.x", false}, // answers only, by allow_responses
		{"operator", operator, "replhub.drop.audit", true},
		{"operator", operator, "replhub.erase", true},
		{"operator who deletes users", permissions.Operator("", name(t, "user")), "db.user.delete", true},
		{"operator who deletes users", permissions.Operator("", name(t, "user")), "db.user.update", false},
		{"operator who deletes users", permissions.Operator("", name(t, "user")), "db.tenant.delete", false},
		{"operator", operator, "db.user.delete", false},
		{"observer", observer, "replhub.erase", false},
		{"hub", hub, "$JS.API.STREAM.MSG.DELETE.DB", true},
		{"operator", operator, "replhub.rewind.audit", true},
		{"operator", operator, "replhub.policy.user", true},
		{"operator", operator, "replhub.policies", true},
		{"observer", observer, "replhub.policies", true},
		{"observer", observer, "replhub.policy.user", false},
		{"operator", operator, "$JS.API.STREAM.MSG.GET.DLQ", true},
		{"operator", operator, "$JS.API.STREAM.MSG.GET.DB", false},
		{"operator", operator, "$JS.API.STREAM.DELETE.DLQ", false},
		{"operator", operator, "replhub.join.audit", false},
		{"operator", operator, "db.user.create", false},
		{"observer", observer, "replhub.services", true},
		{"observer", observer, "replhub.explain.audit", true},
		{"observer", observer, "replhub.pause.audit", false},
		{"observer", observer, "$SRV.PING.replhub", false},
		{"observer", observer, "$JS.API.STREAM.MSG.GET.DLQ", false},
	} {
		if got := allows(tt.p.Publish, tt.subject); got != tt.want {
			t.Errorf("%s, publish on %s: %v", tt.who, tt.subject, got)
		}
	}
}
