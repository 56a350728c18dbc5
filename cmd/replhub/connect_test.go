package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// contexts writes context files of the nats CLI, and which is selected.
func contexts(t *testing.T, selected string, files map[string]any) {
	t.Helper()
	base := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", base)
	if err := os.MkdirAll(filepath.Join(base, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path string, text []byte) {
		if err := os.WriteFile(filepath.Join(base, "nats", path), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if selected != "" {
		write("context.txt", []byte(selected+"\n"))
	}
	for name, content := range files {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Join("context", name+".json"), text)
	}
}

func TestWhichServer(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	files := map[string]any{
		"a": map[string]any{"url": "nats://a", "user": "ua", "password": "pa", "description": "of the nats CLI"},
		"b": map[string]any{"url": "nats://b", "creds": "~/b.creds", "jetstream_domain": "edge", "inbox_prefix": "_B", "tls_first": true},
		"c": map[string]any{"url": "nats://c", "nsc": "nsc://x"},
	}
	for name, tt := range map[string]struct {
		flags    connFlags
		env      map[string]string
		selected string
		want     natsContext
		err      string
	}{
		"nothing":          {want: natsContext{URL: "nats://127.0.0.1:4222"}},
		"selected":         {selected: "a", want: natsContext{URL: "nats://a", User: "ua", Password: "pa"}},
		"selected ignored": {selected: "a", flags: connFlags{noContext: true}, want: natsContext{URL: "nats://127.0.0.1:4222"}},
		"NATS_CONTEXT over selected": {
			selected: "a", env: map[string]string{"NATS_CONTEXT": "b"},
			want: natsContext{URL: "nats://b", Creds: "/home/ada/b.creds", Domain: "edge", InboxPrefix: "_B", TLSFirst: true},
		},
		"--context over NATS_CONTEXT": {
			flags: connFlags{context: "a"}, env: map[string]string{"NATS_CONTEXT": "b"},
			want: natsContext{URL: "nats://a", User: "ua", Password: "pa"},
		},
		"NATS_URL over context": {
			selected: "a", env: map[string]string{"NATS_URL": "nats://e", "NATS_PASSWORD": "pe"},
			want: natsContext{URL: "nats://e", User: "ua", Password: "pe"},
		},
		"--server over NATS_URL": {
			flags: connFlags{server: "nats://f", user: "uf"}, env: map[string]string{"NATS_URL": "nats://e"},
			want: natsContext{URL: "nats://f", User: "uf"},
		},
		"no such context":        {flags: connFlags{context: "z"}, err: "there is no context of that name"},
		"no name of a context":   {flags: connFlags{context: "../a"}, err: "not a context's name"},
		"what is not understood": {flags: connFlags{context: "c"}, err: "does not read nsc"},
	} {
		t.Run(name, func(t *testing.T) {
			contexts(t, tt.selected, files)
			for _, key := range []string{"NATS_URL", "NATS_CONTEXT", "NATS_PASSWORD"} {
				t.Setenv(key, tt.env[key])
			}
			got, err := tt.flags.resolve()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one that says %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectsByContext(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Services{})
	t.Setenv("NATS_URL", "")
	contexts(t, "here", map[string]any{"here": map[string]any{"url": b.server.URL()}})
	if o := execute(t.Context(), "", "ls"); o.code != exitDone {
		t.Errorf("exit %d: %s", o.code, o.stderr)
	}
}

func TestNoServerIsSaidWithoutSecrets(t *testing.T) {
	newBench(t)
	for server, says := range map[string]string{
		"nats://ada:secret@127.0.0.1:1":                       "nats://127.0.0.1:1",
		"nats://secret@127.0.0.1:1,nats://secret@localhost:1": "nats://127.0.0.1:1,nats://localhost:1",
		"nats://ada:secret/more@127.0.0.1:1":                  "not a URL",
		"nats://secret%zz@127.0.0.1:1":                        "not a URL",
	} {
		o := execute(t.Context(), "", "ls", "--server", server)
		if o.code != exitFailed || !strings.Contains(o.stderr, says) || strings.Contains(o.stderr, "secret") {
			t.Errorf("%s: exit %d: %s", server, o.code, o.stderr)
		}
	}
}

func TestCompletesServices(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.services", contract.Services{Services: []contract.LaneStatus{sharing(), application()}})
	o := execute(t.Context(), "", "__complete", "describe", "")
	if !strings.HasPrefix(o.stdout, "sharing\napplication\n") {
		t.Errorf("completions %q", o.stdout)
	}
}

// An nkey that the server changes first is taken from its file once that follows.
func TestConnectionOutlivesARotatedNkey(t *testing.T) {
	newBench(t) // an environment of its own
	user := func() (seed []byte, public string) {
		pair, err1 := nkeys.CreateUser()
		seed, err2 := pair.Seed()
		public, err3 := pair.PublicKey()
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		return seed, public
	}
	seed, public := user()
	s := cluster.StartNATS(t, cluster.NATSNkey(public))
	file := writeFile(t, "nkey", string(seed))
	a := &app{timeout: time.Second, conn: connFlags{server: s.URL(), nkey: file, noContext: true}}
	l, err := a.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	seed, public = user()
	s.SetUsers(cluster.NATSNkey(public))
	wait := func(what string, is func() bool) {
		t.Helper()
		look := time.NewTicker(5 * time.Millisecond)
		defer look.Stop()
		deadline := time.After(20 * time.Second)
		for !is() {
			select {
			case <-look.C:
			case <-deadline:
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	wait("the refusal", func() bool { return !l.nc.IsConnected() })
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	wait("the connection to be back", func() bool { _, err := l.nc.RTT(); return err == nil })
}
