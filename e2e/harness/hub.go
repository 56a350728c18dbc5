package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/testenv/child"
)

const (
	// readyWithin bounds a hub's start, endWithin its end.
	readyWithin = 60 * time.Second
	endWithin   = 30 * time.Second
	// maxShownLog bounds, in bytes, what a failed test prints of a hub's log.
	maxShownLog = 48 << 10
)

// Hub is one hub process at a time under a name; its log is kept over runs.
type Hub struct {
	w       *World
	id      string
	env     []string
	log     string
	process *child.Process
}

// StartHub starts a hub with further variables, as in "HISTORY=1s", and waits
// until it answers. It is killed when the test ends.
func (w *World) StartHub(id string, env ...string) *Hub {
	w.tb.Helper()
	h := w.LaunchHub(id, env...)
	h.AwaitReady()
	return h
}

// LaunchHub starts a hub and does not wait.
func (w *World) LaunchHub(id string, env ...string) *Hub {
	w.tb.Helper()
	h := &Hub{w: w, id: id, env: env, log: filepath.Join(w.tb.TempDir(), id+".log")}
	w.tb.Cleanup(func() {
		h.Kill()
		h.showLog()
	})
	h.Launch()
	return h
}

// Start starts a hub that has ended again, with these variables on top of its
// first ones, and waits until it answers.
func (h *Hub) Start(env ...string) {
	h.w.tb.Helper()
	h.Launch(env...)
	h.AwaitReady()
}

// StartToFail starts the hub with a failpoint, and waits until it is ready or has ended:
// work that waits may bring it to the failpoint before anybody sees that it is ready.
func (h *Hub) StartToFail(point string) {
	h.w.tb.Helper()
	h.Launch("FAILPOINT=" + point)
	h.w.Eventually("hub "+h.id+" to be ready, or to end", readyWithin, func() error {
		if !h.Running() {
			return nil
		}
		return h.ping()
	})
}

// Launch is Start without waiting.
func (h *Hub) Launch(env ...string) {
	h.w.tb.Helper()
	if err := h.launch(env); err != nil {
		h.w.tb.Fatalf("start hub %s: %v", h.id, err)
	}
}

func (h *Hub) launch(env []string) error {
	cmd := exec.Command(h.w.opts.Binary, "serve")
	cmd.Env = h.environment(env)
	process, err := child.Start(cmd, h.log)
	if err != nil {
		return err
	}
	h.process = process
	return nil
}

func (h *Hub) environment(more []string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REPLHUB_") || strings.HasPrefix(v, "NATS_") })
	set := func(v string) { env = append(env, "REPLHUB_"+v) }
	set("NATS_URL=" + h.w.NATS.URL())
	set("HTTP_ADDR=127.0.0.1:0")
	set("HUB_ID=" + h.id)
	set("REPLICAS=1")
	set("REGISTRY=" + h.w.opts.Registry)
	if h.w.ZooKeeper != nil {
		set("ZK_SERVERS=" + strings.Join(h.w.ZooKeeper.Servers(), ","))
		set("ZK_SESSION_TIMEOUT=2s")
	}
	for _, v := range h.w.opts.Env {
		set(v)
	}
	for _, v := range h.env {
		set(v)
	}
	for _, v := range more {
		set(v)
	}
	return env
}

// AwaitReady waits until the hub's control service answers under its name.
func (h *Hub) AwaitReady() {
	h.w.tb.Helper()
	h.w.Eventually("hub "+h.id+" to be ready", readyWithin, func() error {
		if !h.Running() {
			h.w.tb.Fatalf("hub %s ended while starting:\n%s", h.id, h.tail())
		}
		return h.ping()
	})
}

// ping finds the hub among the instances of the control service.
func (h *Hub) ping() error {
	nc := h.w.NC
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest("$SRV.PING.replhub", inbox, nil); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsg(300 * time.Millisecond)
		if err != nil {
			return fmt.Errorf("ask for hub %s: %w", h.id, err)
		}
		var pong struct {
			Metadata map[string]string `json:"metadata"`
		}
		if json.Unmarshal(m.Data, &pong) == nil && pong.Metadata["hub"] == h.id {
			return nil
		}
	}
}

// Running reports whether the process is there, paused or not.
func (h *Hub) Running() bool { return h.process.Running() }

// Kill ends the hub at once (SIGKILL), paused or not, and waits for its end.
func (h *Hub) Kill() { h.must(h.process.Kill()) }

// Stop ends the hub in good order (SIGTERM) and insists that it does so without
// an error.
func (h *Hub) Stop() {
	h.w.tb.Helper()
	h.must(h.process.Signal(syscall.SIGTERM))
	h.AwaitEnd(endWithin)
	if code := h.process.State().ExitCode(); code != 0 {
		h.w.tb.Errorf("hub %s ended with code %d after SIGTERM:\n%s", h.id, code, h.tail())
	}
}

// AwaitEnd waits until the hub has ended by itself.
func (h *Hub) AwaitEnd(within time.Duration) {
	h.w.tb.Helper()
	if !h.EndsWithin(within) {
		h.w.tb.Fatalf("hub %s still runs after %s", h.id, within)
	}
}

// Resurrect starts the hub again, without the variables of its last start, once
// it has ended by itself. The returned function waits for that and reports
// whether it came within a time.
func (h *Hub) Resurrect(within time.Duration) (rose func() bool) {
	return h.resurrect(func(p *child.Process) bool { return p.EndsWithin(within) })
}

// growsAfter is how often the moments of a slow hub double, so that a slow machine, on
// which a moment is too short for anything, gets there too.
const growsAfter = 8 * time.Second

// ResurrectSlow is Resurrect of a hub that until its end works for moments only,
// with a standstill after each: what it does by the clock comes up more often. The
// moments grow.
func (h *Hub) ResurrectSlow(within, moment, standstill time.Duration) (rose func() bool) {
	return h.resurrect(func(p *child.Process) bool {
		began := time.Now()
		for time.Since(began) < within {
			if p.EndsWithin(moment << (time.Since(began) / growsAfter)) {
				return true
			}
			if p.Freeze() != nil {
				return false
			}
			ended := p.EndsWithin(standstill) // by what it began before
			if p.Thaw() != nil || ended {
				return ended
			}
		}
		return false
	})
}

func (h *Hub) resurrect(ends func(*child.Process) bool) (rose func() bool) {
	process := h.process
	done := make(chan bool, 1)
	go func() {
		done <- ends(process) && h.launch(nil) == nil
	}()
	return func() bool { return <-done }
}

// EndsWithin reports whether the hub ends by itself in time.
func (h *Hub) EndsWithin(within time.Duration) bool { return h.process.EndsWithin(within) }

// Pause freezes the hub with its connections open (SIGSTOP).
func (h *Hub) Pause() { h.must(h.process.Freeze()) }

// Continue ends a Pause (SIGCONT).
func (h *Hub) Continue() { h.must(h.process.Thaw()) }

func (h *Hub) must(err error) {
	h.w.tb.Helper()
	if err != nil {
		h.w.tb.Fatalf("hub %s: %v", h.id, err)
	}
}

// Log is what the hub has written so far.
func (h *Hub) Log() string {
	text, err := os.ReadFile(h.log)
	if err != nil {
		h.w.tb.Fatalf("read the log of hub %s: %v", h.id, err)
	}
	return string(text)
}

func (h *Hub) tail() string {
	text := h.Log()
	return text[max(0, len(text)-maxShownLog):]
}

func (h *Hub) showLog() {
	if h.w.tb.Failed() {
		h.w.tb.Logf("log of hub %s:\n%s", h.id, h.tail())
	}
}

// connect is a connection that outlives restarts of the server.
func connect(url string) (*nats.Conn, error) {
	return nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.ReconnectJitter(10*time.Millisecond, 10*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.PingInterval(2*time.Second))
}
