package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/kvmap"
)

// observed is a hub whose HTTP is looked at.
type observed struct {
	*hub.Hub
	t *testing.T
}

// observe runs a hub until the test ends; registryAt is the server of its
// registry, nil for the hub's own.
func (w *world) observe(registryAt *cluster.NATS, change ...func(*hub.Config)) observed {
	w.t.Helper()
	h, registry := w.newHub(registryAt, change...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("hub: %v", err)
		}
		registry.Close()
	})
	select {
	case <-h.Ready():
	case err := <-done:
		done <- err
		w.t.Fatalf("hub: %v", err)
	case <-time.After(w.patience):
		w.t.Fatal("hub did not get ready")
	}
	return observed{h, w.t}
}

func (w *world) newHub(registryAt *cluster.NATS, change ...func(*hub.Config)) (*hub.Hub, *nats.Conn) {
	w.t.Helper()
	url := w.url
	if registryAt != nil {
		url = registryAt.URL()
	}
	nc, err := nats.Connect(url, nats.DontRandomize(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	registry, err := kvmap.New(js, kvmap.Config{
		Records: hub.RegistryRecords(), CallTimeout: time.Second, Resync: 500 * time.Millisecond, Logger: quiet(w.t),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := hub.Config{Conn: w.connect(), Registry: registry, ID: "one", Version: "v1.2.3", Logger: quiet(w.t), StartTimeout: w.patience}
	for _, c := range change {
		c(&cfg)
	}
	h, err := hub.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return h, nc
}

func ask(ctx context.Context, h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return r
}

// readyz asks for readiness.
func readyz(t *testing.T, h *hub.Hub) (int, contract.Health) {
	t.Helper()
	r := ask(t.Context(), h.Handler(), "/readyz")
	var health contract.Health
	if err := json.Unmarshal(r.Body.Bytes(), &health); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return r.Code, health
}

// awaitHealth waits for a status and, when part is not empty, something
// degraded that says so.
func (o observed) awaitHealth(w *world, status int, part string) {
	o.t.Helper()
	w.eventually(fmt.Sprintf("status %d and %q", status, part), func() error {
		code, health := readyz(o.t, o.Hub)
		if code == status && strings.Contains(strings.Join(health.Degraded, "\n"), part) {
			return nil
		}
		return fmt.Errorf("%d %+v", code, health)
	})
}

func TestNotReadyBeforeItRuns(t *testing.T) {
	w := newWorld(t)
	h, registry := w.newHub(nil)
	defer registry.Close()
	code, health := readyz(t, h)
	if code != http.StatusServiceUnavailable || health.Ready || health.Reason != "starting" {
		t.Errorf("%d %+v", code, health)
	}
	if r := ask(t.Context(), h.Handler(), "/healthz"); r.Code != http.StatusOK || r.Body.String() != "ok\n" {
		t.Errorf("healthz: %d %s", r.Code, r.Body)
	}
	if r := ask(t.Context(), h.Handler(), "/metrics"); r.Code != http.StatusOK || !strings.Contains(r.Body.String(), "replhub_ready 0") {
		t.Errorf("metrics: %d %s", r.Code, r.Body)
	}
}

func TestReadyAndDegraded(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	if code, health := readyz(t, o.Hub); code != http.StatusOK || !health.Ready || len(health.Degraded) != 0 || health.Hub != "one" {
		t.Errorf("%d %+v", code, health)
	}
	w.register("sharing", `{"entities":["user"]}`)
	bucket, err := w.js.KeyValue(t.Context(), "REPLHUB")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "entities.user.sharing", []byte(`{"v":99}`)); err != nil {
		t.Fatal(err)
	}
	o.awaitHealth(w, http.StatusOK, "lane sharing is incompatible")

	stopping, cancel := context.WithCancel(t.Context())
	cancel()
	if r := ask(stopping, o.Handler(), "/readyz"); r.Code != http.StatusServiceUnavailable || !strings.Contains(r.Body.String(), "stopping") {
		t.Errorf("stopping: %d %s", r.Code, r.Body)
	}
}

func TestARegistryThatIsAwayIsNoReasonToRestart(t *testing.T) {
	w := newWorld(t)
	elsewhere := newWorld(t)
	o := w.observe(elsewhere.server)
	elsewhere.stopServer()
	o.awaitHealth(w, http.StatusOK, "registry unreachable")
	if got := o.metrics()[`replhub_registry_connected{kind="kv"}`]; got != 0 {
		t.Errorf("registry_connected %v", got)
	}
}

func TestNotReadyWithoutNATS(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.stopServer()
	o.awaitHealth(w, http.StatusServiceUnavailable, "")
	if _, health := readyz(t, o.Hub); health.Reason == "" {
		t.Errorf("no reason: %+v", health)
	}
	if got := o.metrics()["replhub_ready"]; got != 0 {
		t.Errorf("ready %v", got)
	}
}

func TestServeHTTPEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	h, registry := w.newHub(nil)
	defer registry.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	run, stopRun := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.ServeHTTP(ctx, run, listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://" + listener.Addr().String()
	status := func(path string) (code int, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	// Before the hub runs, the console says of each of its paths that the hub is starting.
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/": 503, "/debug/pprof/": 503} {
		if got, _ := status(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	stopRun() // a drain: answered still, as stopping
	if got, body := status("/readyz"); got != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("stopping: %d %s", got, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("still listening")
	}
}
