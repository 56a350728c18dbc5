//go:build long

package monitoring_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/replhubtest"
)

// within bounds each wait.
const within = 30 * time.Second

// world is a nats-server with two hubs.
type world struct {
	t       *testing.T
	nats    *natstest.Server
	js      jetstream.JetStream
	hubs    []*process
	targets []target
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := emptyWorld(t)
	w.hub("h1")
	w.hub("h2")
	return w
}

// emptyWorld has no hubs yet.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, nats: natstest.Start(t)}
	w.js = w.nats.JetStream()
	return w
}

// hub starts a hub.
func (w *world) hub(id string, env ...string) *process {
	w.t.Helper()
	p := start(w.t, append([]string{
		"REPLHUB_NATS_URL=" + w.nats.URL(), "REPLHUB_REGISTRY=kv", "REPLHUB_HTTP_ADDR=127.0.0.1:0", "REPLHUB_HUB_ID=" + id,
		"REPLHUB_REPLICAS=1",
	}, env...), "serve")
	w.hubs = append(w.hubs, p)
	w.targets = append(w.targets, target{p.url, fmt.Sprintf(`job="replhub",instance=%q`, id)})
	return p
}

// process is a run of the binary that serves HTTP.
type process struct {
	*child.Process

	url string
}

// start starts the binary with these variables alone, and waits until it says where its
// HTTP is.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	log := filepath.Join(t.TempDir(), "log")
	p, err := child.Start(cmd, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(args, " "), p.Tail(4000))
		}
	})
	at := regexp.MustCompile(`\bhttp=(127\.0\.0\.1:\d+)`)
	var url string
	replhubtest.Await(t, "HTTP of "+strings.Join(args, " "), func() error {
		found := at.FindStringSubmatch(child.Tail(log, 1<<20))
		if found == nil {
			if !p.Running() {
				t.Fatalf("%v ended: %s", args, p.Tail(4000))
			}
			return errors.New("no address in the log yet")
		}
		url = "http://" + found[1]
		return nil
	}, replhubtest.Within(within))
	return &process{p, url}
}

// ask sends a request to the hubs, and ends the test unless it is done.
func (w *world) ask(verb, request string) {
	w.t.Helper()
	m, err := w.js.Conn().Request("replhub."+verb, []byte(request), within)
	if err != nil {
		w.t.Fatal(err)
	}
	if m.Header.Get("Nats-Service-Error") != "" {
		w.t.Fatalf("%s: %s", verb, m.Data)
	}
}

// publish stores events, each once acknowledged.
func (w *world) publish(n int, payload string) {
	w.t.Helper()
	for range n {
		if _, err := w.js.PublishMsg(w.t.Context(), &nats.Msg{Subject: "db.user.update", Data: []byte(payload)}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// publishUntilRefused stores events until ingest is full, and returns their number.
func (w *world) publishUntilRefused(payload string) int {
	w.t.Helper()
	for n := 0; ; n++ {
		if _, err := w.js.Publish(w.t.Context(), "db.user.update", []byte(payload)); err != nil {
			return n
		}
	}
}

// consume acknowledges the next copies of a service.
func (w *world) consume(service string, n int) {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, "workers")
	if err != nil {
		w.t.Fatal(err)
	}
	for range n {
		m, err := c.Next(jetstream.FetchMaxWait(within))
		if err != nil {
			w.t.Fatal(err)
		}
		if err := m.DoubleAck(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// await scrapes until the series are as wanted.
func (w *world) await(what string, check func(s sample) error) (s sample) {
	w.t.Helper()
	return await(w.t, w.targets, what, check)
}

func await(t *testing.T, targets []target, what string, check func(s sample) error) (s sample) {
	t.Helper()
	replhubtest.Await(t, what, func() error {
		s = scrape(t, targets...)
		return check(s)
	}, replhubtest.Within(within))
	return s
}

// well is the state in which nothing is wrong: two hubs, and a service that has
// acknowledged five events.
func (w *world) well() sample {
	w.t.Helper()
	w.ask("register.sharing", `{"entities":["user"]}`)
	w.publish(5, `{"id":"1","n":5}`)
	w.consume("sharing", 5)
	return w.await("all to be well", func(s sample) error {
		return errors.Join(
			s.has(2, "replhub_hubs", `instance="h1"`), s.has(2, "replhub_hubs", `instance="h2"`),
			s.has(0, "replhub_lane_backlog_events", `service="sharing"`), s.has(0, "replhub_lane_lag_events", `service="sharing"`),
			s.has(0, "replhub_lane_oldest_unacked_seconds", `service="sharing"`), s.has(0, "replhub_lane_dead_letters", `service="sharing"`),
			s.has(0, "replhub_degraded_reasons", `instance="h1"`), s.has(0, "replhub_degraded_reasons", `instance="h2"`),
			s.has(1, "replhub_ready", `instance="h1"`), s.has(1, "replhub_ready", `instance="h2"`),
		)
	})
}
