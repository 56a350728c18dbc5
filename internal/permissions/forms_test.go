package permissions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/replhub/replhub/internal/permissions"
)

// Each form says the same, as those read it who take it.
func TestForms(t *testing.T) {
	for name, p := range map[string]permissions.Permissions{
		"service": sharing(t, ""), "domain": sharing(t, "leaf"), "hub": permissions.Hub(""),
		"operator": permissions.Operator(""), "observer": permissions.Observer(),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := p.JSON()
			if err != nil {
				t.Fatal(err)
			}
			want := plain(p)
			if diff := cmp.Diff(want, configured(t, p.NATSConfig())); diff != "" {
				t.Errorf("nats-server's configuration (-want +got):\n%s", diff)
			}
			// A user's permissions in JSON, which are nats-server's own form, too.
			inner := regexp.MustCompile(`"inbox_prefix":"[^"]*",`).ReplaceAllString(string(text), "")
			if diff := cmp.Diff(want, configured(t, "permissions: "+inner)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, commanded(t, p.NSC("A", "u"))); diff != "" {
				t.Errorf("nsc (-want +got):\n%s", diff)
			}
		})
	}
}

// form is what each form has.
type form struct {
	Publish, Subscribe []string
	Max                int
	Expires            time.Duration
}

func plain(p permissions.Permissions) form {
	return form{p.Publish.Allow, p.Subscribe.Allow, p.AllowResponses.Max, p.AllowResponses.Expires}
}

// configured is what nats-server reads in a user's configuration.
func configured(t *testing.T, text string) form {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte("authorization { users: [ {user: u, password: p\n"+text+"} ] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	p := opts.Users[0].Permissions
	if len(p.Publish.Deny)+len(p.Subscribe.Deny) > 0 {
		t.Errorf("denied: %q, %q", p.Publish.Deny, p.Subscribe.Deny)
	}
	f := form{Publish: p.Publish.Allow, Subscribe: p.Subscribe.Allow}
	if p.Response != nil {
		f.Max, f.Expires = p.Response.MaxMsgs, p.Response.Expires
	}
	return f
}

// commanded is what a command of nsc says.
func commanded(t *testing.T, command string) form {
	t.Helper()
	var f form
	for line := range strings.SplitSeq(strings.ReplaceAll(command, " \\\n", "\n"), "\n") {
		flag, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value = strings.Trim(value, "'")
		switch {
		case flag == "--allow-pub":
			f.Publish = append(f.Publish, value)
		case flag == "--allow-sub":
			f.Subscribe = append(f.Subscribe, value)
		case strings.HasPrefix(flag, "--allow-pub-response="):
			f.Max, _ = strconv.Atoi(strings.TrimPrefix(flag, "--allow-pub-response="))
		case flag == "--response-ttl":
			f.Expires, _ = time.ParseDuration(value)
		case slices.Contains([]string{"nsc", "--account", "--name", ""}, flag):
		default:
			t.Errorf("unknown flag %s", flag)
		}
	}
	return f
}
