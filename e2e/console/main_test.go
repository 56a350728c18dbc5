package console_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/testenv/browser"
	"github.com/replhub/replhub/internal/testenv/child"
)

var program, axe string // TestMain has no other way to hand them to the tests

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "replhub-console-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if program, err = harness.Build(dir); err == nil {
		axe, err = installAxe(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// installAxe has npm fetch axe-core, whose licence and size keep it out of the repository.
func installAxe(dir string) (string, error) {
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	npm := exec.Command("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci, which needs npm (./scripts/deps installs it on Debian as root) and its registry or a cache of it: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	return string(text), err
}

// stage is a hub with all that it needs in one process, and a browser.
type stage struct {
	*testing.T
	url, natsURL, dir string
	port              int
	process           *child.Process
	page              *browser.Page
	nc                *nats.Conn
	js                jetstream.JetStream
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, dir: t.TempDir(), port: freePort(t)}
	s.url = "http://127.0.0.1:" + strconv.Itoa(freePort(t))
	s.natsURL = "nats://127.0.0.1:" + strconv.Itoa(s.port)
	s.start()
	t.Cleanup(func() { _ = s.process.Kill() })
	var err error
	if s.nc, err = nats.Connect(s.natsURL, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.nc.Close)
	if s.js, err = jetstream.New(s.nc); err != nil {
		t.Fatal(err)
	}
	s.page = browser.Start(t).Open(t)
	s.page.Look(1280, 900, "light")
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// start starts the hub, and waits until it is ready.
func (s *stage) start() {
	s.Helper()
	log := filepath.Join(s.dir, "log")
	cmd := exec.Command(program, "dev", "--port", strconv.Itoa(s.port), "--http", s.url[len("http://"):], "--store-dir", filepath.Join(s.dir, "streams"), "--log-level", "info")
	process, err := child.Start(cmd, log)
	if err != nil {
		s.Fatal(err)
	}
	s.process = process
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	err = process.Await(ctx, "the hub", func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", response.Status)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) call(verb, request string) {
	s.Helper()
	m, err := s.nc.Request("replhub."+verb, []byte(request), 10*time.Second)
	if err != nil {
		s.Fatal(verb, err)
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		s.Fatalf("%s: %s", verb, m.Data)
	}
}

func (s *stage) publish(subject, payload string) {
	s.Helper()
	if _, err := s.js.Publish(s.Context(), subject, []byte(payload)); err != nil {
		s.Fatal(err)
	}
}

// five are services of every kind, with dead letters and a backlog.
func (s *stage) five() {
	s.Helper()
	s.call("register.sharing", `{"entities":["user","tenant"]}`)
	s.call("register.application", `{"interests":[{"entity":"user","filter":"data.n > 1","fields":["id","n"]}]}`)
	s.call("register.search", `{"entities":["user"],"queue":{"order":"key","partitions":4}}`)
	s.call("register.audit", `{"entities":["user","tenant","invoice"]}`)
	s.call("register.billing", `{"entities":["invoice"]}`)
	for i := range 20 {
		s.publish("db.user.update", fmt.Sprintf(`{"id":"%d","n":%d}`, i, i%4))
	}
	s.publish("db.user.create", `{"id":"lacks"}`)
	s.publish("db.user.create", `no JSON at all`)
	s.publish("db.invoice.create", `{"id":"i1"}`)
}
