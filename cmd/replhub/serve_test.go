package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// clearEnvironment keeps whatever the caller's environment says to a hub, or
// to the nats CLI, out of a test.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, contract.EnvironmentPrefix) {
			t.Setenv(name, "") // restored at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv(contract.EnvHTTPAddr, "127.0.0.1:0")
}

// startServer runs a nats-server of the given kind for one test.
func startServer(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	options.StoreDir = t.TempDir()
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("nats-server did not start")
	}
	return s
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// running is a command under way.
type running struct {
	stdout, stderr *screen
	stop           context.CancelFunc
	code           chan int
}

// start runs the command until the test ends or it is stopped.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stdout: newScreen(), stderr: newScreen(), stop: stop, code: make(chan int, 1)}
	go func() { r.code <- run(ctx, args, strings.NewReader(""), r.stdout, r.stderr) }()
	t.Cleanup(func() {
		stop()
		r.code <- <-r.code
	})
	return r
}

// ended waits for the end and returns the exit code.
func (r *running) ended(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.code:
		r.code <- code // for the cleanup
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("does not end:\n%s%s", r.stdout, r.stderr)
		return 0
	}
}

// screen is an output that can be watched.
type screen struct {
	mu      sync.Mutex // guards the rest
	text    strings.Builder
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the text is there.
func (s *screen) await(t *testing.T, text string) string {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		all, changed := s.text.String(), s.changed
		s.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-changed:
		case <-patience:
			t.Fatalf("waited in vain for %q in:\n%s", text, all)
		}
	}
}

// field is a value of the log's text form.
func field(t *testing.T, log, key string) string {
	t.Helper()
	_, rest, found := strings.Cut(log, " "+key+"=")
	if !found {
		t.Fatalf("no %s in the log:\n%s", key, log)
	}
	return strings.Fields(rest)[0]
}

func TestServesUntilToldToStop(t *testing.T) {
	clearEnvironment(t)
	const password, shown = "hush-hush", "shown"
	s := startServer(t, &server.Options{Username: "hub", Password: password, JetStream: true})
	t.Setenv(contract.EnvNATSURL, s.ClientURL())
	t.Setenv(contract.EnvNATSUser, "hub")
	t.Setenv(contract.EnvNATSPasswordFile, writeFile(t, "password", password+"\n"))
	t.Setenv(contract.EnvLogLevel, "debug")
	t.Setenv(contract.EnvHubID, shown)
	t.Setenv(contract.EnvIngestMaxBytes, "64MiB")
	t.Setenv(contract.EnvDLQMaxBytes, "16777216")
	r := start(t, "serve")
	addr := field(t, r.stdout.await(t, "msg=ready"), "http")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"ready":true`, "/metrics": contract.MetricReady + " 1"} {
		body := get(t, "http://"+addr+path)
		if !strings.Contains(body, want) {
			t.Errorf("%s: no %q in\n%s", path, want, body)
		}
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("hub", password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	status, err := demoRequest[contract.Status](t.Context(), nc, "replhub.status", "{}")
	if err != nil || status.Hub != shown || status.Ingest.MaxBytes != 64<<20 {
		t.Errorf("status %+v, %v", status, err)
	}
	r.stop()
	if code := r.ended(t); code != exitDone || r.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if all := r.stdout.String() + r.stderr.String(); strings.Contains(all, password) {
		t.Errorf("the password shows:\n%s", all)
	}
}

// A user of a URL without a password is a token, which nats.go's redacted URL shows.
func TestServeDoesNotShowATokenOfTheURL(t *testing.T) {
	clearEnvironment(t)
	const token = "mytoken9999"
	s := startServer(t, &server.Options{Authorization: token, JetStream: true})
	t.Setenv(contract.EnvNATSURL, strings.Replace(s.ClientURL(), "nats://", "nats://"+token+"@", 1))
	t.Setenv(contract.EnvLogLevel, "debug")
	r := start(t, "serve")
	ready := r.stdout.await(t, "msg=ready")
	if at := field(t, ready, "nats"); at != s.ClientURL() {
		t.Errorf("the log has nats=%s, want %s", at, s.ClientURL())
	}
	measured := get(t, "http://"+field(t, ready, "http")+"/metrics")
	r.stop()
	r.ended(t)
	if all := r.stdout.String() + r.stderr.String() + measured; strings.Contains(all, token) {
		t.Errorf("the token shows:\n%s", all)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	// No idle connection may outlast the test.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestADrainIsBounded(t *testing.T) {
	clearEnvironment(t)
	t.Setenv(contract.EnvNATSURL, newBench(t).server.URL())
	t.Setenv(contract.EnvDrainTimeout, "1ns")
	r := start(t, "serve")
	addr := field(t, r.stdout.await(t, "msg=ready"), "http")
	// Who has connected and not yet asked, the stop waits for a while.
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	get(t, "http://"+addr+"/healthz") // those before it have been accepted
	r.stop()
	if code := r.ended(t); code != exitFailed || !strings.Contains(r.stderr.String(), "did not stop in time") {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

// A password that the server changes first, and then one that the file has
// first, keep the hub waiting and end nothing.
func TestHubOutlivesRotatedCredentials(t *testing.T) {
	clearEnvironment(t)
	s := cluster.StartNATS(t, cluster.NATSUser("hub", "before", ""))
	t.Setenv(contract.EnvNATSURL, s.URL())
	t.Setenv(contract.EnvNATSUser, "hub")
	file := writeFile(t, "password", "before")
	t.Setenv(contract.EnvNATSPasswordFile, file)
	r := start(t, "serve")
	ready := r.stdout.await(t, "msg=ready")
	reload := func(password string) { s.SetUsers(cluster.NATSUser("hub", password, "")) }
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload("second")
	r.stdout.await(t, "the server has other credentials")
	write("second")
	r.stdout.await(t, "nats connection is back")
	write("third")
	reload("third")
	r.stdout.await(t, "nats connection is back")
	get(t, "http://"+field(t, ready, "http")+"/readyz")
	r.stop()
	if code := r.ended(t); code != exitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

func TestServeTakesNoConnectionFlags(t *testing.T) {
	for _, verb := range []string{"serve", "dev"} {
		o := execute(t.Context(), "", verb, "--server", "nats://127.0.0.1:1")
		if o.code != exitUsage || !strings.Contains(o.stderr, "--server is not for replhub "+verb) {
			t.Errorf("%s: exit %d: %s", verb, o.code, o.stderr)
		}
	}
}
