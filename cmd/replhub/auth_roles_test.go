package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/testenv/rolestest"
)

// The hub and the command line do all that they can with what "replhub auth" prints,
// and the server denies nobody anything.
func TestVerbsByRoles(t *testing.T) {
	for _, layout := range []rolestest.Layout{rolestest.OneAccount, rolestest.TwoAccounts} {
		t.Run(string(layout), func(t *testing.T) {
			newBench(t) // no context and no variables of the caller's
			clearEnvironment(t)
			server := rolestest.Start(t, layout, "", parsedRole(t, "profile", "user"), parsedRole(t, "sharing"), parsedRole(t, "keyed"), parsedRole(t, "copies"), parsedRole(t, "hook"))
			t.Setenv(contract.EnvNATSURL, server.URL(rolestest.Hub))
			t.Setenv(contract.EnvNATSTLSCA, server.CA)
			t.Setenv(contract.EnvIngestMaxBytes, "64MiB")
			t.Setenv(contract.EnvDLQMaxBytes, "16MiB")
			r := start(t, "serve")
			if !r.becomesReady() {
				t.Fatalf("%s; denied: %q", r.stderr, server.Violations())
			}
			as := func(user, line string) {
				t.Helper()
				args := append(strings.Fields(line), "--server", server.URL(user), "--tlsca", server.CA, "--inbox-prefix", server.InboxPrefix(user), "--js-domain", server.Domain(user))
				if o := execute(t.Context(), "", args...); o.code != exitDone {
					t.Fatalf("%s, %s: exit %d, %s; denied: %q", user, line, o.code, o.stderr, server.Violations())
				}
				if denied := server.Violations(); len(denied) > 0 {
					t.Errorf("%s, %s: denied: %q", user, line, denied)
				}
			}
			services(as)
			dsn := filepath.Join(t.TempDir(), "copies.db")
			as("copies", "apply copies --table user=people --create --start earliest --once --dry-run --http-addr none --dsn sqlite:"+dsn)
			as("copies", "apply copies --table user=people --create --start earliest --once --http-addr none --dsn sqlite:"+dsn)
			endpoint := newHook(t)
			t.Setenv(envPushSecret, pushSecret)
			as("hook", "push hook --entity user --start all --once --http-addr none --allow-private --url "+endpoint.URL+" --ca "+endpoint.ca)
			if got := endpoint.got(); len(got) == 0 {
				t.Error("push delivered nothing")
			}
			letter := []string{"dlq", "show", "1", "--server", server.URL(rolestest.Root), "--tlsca", server.CA}
			for deadline := time.Now().Add(20 * time.Second); execute(t.Context(), "", letter...).code != exitDone; {
				if time.Now().After(deadline) {
					t.Fatal("no dead letter")
				}
			}
			operators(as)
		})
	}
}

// services use the verbs of services.
func services(as func(user, line string)) {
	as("profile", "policy user --allow sharing=* --allow keyed=* --allow copies=* --allow hook=* --allow other=*")
	as("sharing", "register sharing user")
	as("keyed", "register keyed user --order key --partitions 2")
	as("profile", `pub user create {"id":"42","name":"Ada"}`)
	as("profile", `pub user update {"id":"42"} --id one --origin profile`)
	as("sharing", "next sharing")
	as("sharing", "next sharing --no-ack")
	as("keyed", "next keyed --no-ack")
	as("keyed", "next keyed --count 2")
	as("sharing", "describe sharing")
	as("sharing", "unregister sharing")
	as("sharing", `register sharing user --filter data.x=='1'`)
	as("profile", `pub user update {"id":"43"}`) // has no x: a dead letter
}

// operators and observers use theirs.
func operators(as func(user, line string)) {
	for _, line := range []string{"ls", "who user", "describe sharing", "explain sharing 1", "status", "policy", "policy user --show"} {
		as(rolestest.Observer, line)
		as(rolestest.Operator, line)
	}
	for _, line := range []string{
		"dlq ls", "dlq ls sharing --letters", "dlq show 1", "dlq rm 1",
		"erase user 42 --dry-run", "erase user 43 --verify",
		"pause keyed --for 1h", "resume keyed", "rewind keyed 5m", "register other user", "unregister other", "drop other --yes",
		"policy user --allow keyed=id --ops keyed=create,update", "policy user --none", "policy user --clear",
	} {
		as(rolestest.Operator, line)
	}
}

// parsedRole is a service that publishes entities and states their policies.
func parsedRole(t *testing.T, service string, publishes ...string) permissions.ServiceRole {
	t.Helper()
	role, err := serviceRole(service, publishes, nil, publishes)
	if err != nil {
		t.Fatal(err)
	}
	return role
}
