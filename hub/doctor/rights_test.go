package doctor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/doctor"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/testenv/rolestest"
	"github.com/replhub/replhub/kvmap"
)

// With few permissions, what cannot be seen is said, and does not pass.
func TestFewPermissions(t *testing.T) {
	server := rolestest.Start(t, rolestest.OneAccount, "")
	s := &site{t: t}
	nc := server.Connect(rolestest.Hub)
	registry, err := kvmap.New(server.JetStream(nc), kvmap.Config{Records: hub.RegistryRecords()})
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.nc = server.URL(rolestest.Root), server.Connect(rolestest.Root)
	s.hubOn(nc, registry)
	look := func(user string, role *doctor.Role) *doctor.Report {
		return doctor.Run(t.Context(), doctor.Config{Conn: server.Connect(user), Timeout: 5 * time.Second, Listen: 100 * time.Millisecond, Role: role})
	}
	began := time.Now()
	r := look(rolestest.Observer, nil)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %s: refusals were waited for", took)
	}
	expect(t, r, nil, nil)
	for _, check := range []string{"server.jetstream", "permissions.user", "streams.list", "place.installations", "clock.server"} {
		if !slices.Contains(checks(r, doctor.Unseen), check) {
			t.Errorf("observer: %s is not among the unseen: %v", check, checks(r, doctor.Unseen))
		}
		if slices.Contains(checks(r, doctor.Pass), check) {
			t.Errorf("observer: %s passes", check)
		}
	}
	r = look(rolestest.Hub, nil)
	expect(t, r, nil, nil)
	if got := checks(r, doctor.Unseen); !slices.Contains(got, "hubs.running") || slices.Contains(got, "place.installations") {
		t.Errorf("hub: unseen: %v", got)
	}
	r = look(rolestest.Root, &doctor.Role{Name: "hub", Permissions: permissions.Hub("")})
	expect(t, r, nil, nil)
}
