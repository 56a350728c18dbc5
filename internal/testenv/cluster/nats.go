package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

const (
	// readyTimeout bounds how long a server may take until JetStream is there.
	readyTimeout = 60 * time.Second
	// readyPoll is the time between two looks at a starting server.
	readyPoll = 10 * time.Millisecond
	// startAttempts bounds how often a first start looks for other ports,
	// should something outside these tests have taken one meanwhile.
	startAttempts = 3
)

// errPortTaken: something that reserves no ports here was quicker.
var errPortTaken = errors.New("port taken")

// NATS is a nats-server process with JetStream on a loopback port and a store
// folder that both stay the same across its runs. A method that does not
// succeed fails the test; call them from the test's goroutine. Pause, Continue
// and Kill may be called while others run.
type NATS struct {
	tb        testing.TB
	name      string
	cfg       natsConfig
	dir       string
	storeDir  string
	port      int
	httpPort  int
	routePort int
	leafPort  int
	routes    []string

	mu   sync.Mutex // guards proc
	proc *child.Process
}

// StartNATS runs a single nats-server until the test ends, and returns once
// JetStream is ready.
func StartNATS(tb testing.TB, opts ...NATSOption) *NATS {
	tb.Helper()
	n := newNATS(tb, "n1", opts)
	for attempt := 1; ; attempt++ {
		n.reservePorts()
		err := n.start()
		if err == nil {
			return n
		}
		if !errors.Is(err, errPortTaken) || attempt == startAttempts {
			tb.Fatalf("start nats-server: %v", err)
		}
	}
}

func newNATS(tb testing.TB, name string, opts []NATSOption) *NATS {
	tb.Helper()
	n := &NATS{tb: tb, name: name, dir: tb.TempDir()}
	for _, opt := range opts {
		opt(&n.cfg)
	}
	n.name = cmp.Or(n.cfg.name, n.name)
	n.storeDir = n.cfg.storeDir
	if n.storeDir == "" {
		n.storeDir = filepath.Join(n.dir, "store")
	}
	// After TempDir, so that the process is gone before its folder is.
	tb.Cleanup(n.cleanup)
	return n
}

func (n *NATS) reservePorts() {
	n.tb.Helper()
	n.port, n.httpPort = reservePort(n.tb), reservePort(n.tb)
	if n.cfg.leafnodes {
		n.leafPort = reservePort(n.tb)
	}
}

func (n *NATS) cleanup() {
	if p := n.process(); p != nil {
		if err := p.Kill(); err != nil {
			n.tb.Errorf("stop nats-server %s: %v", n.name, err)
		}
	}
	showLog(n.tb, "nats-server "+n.name, n.logPath())
}

func (n *NATS) logPath() string { return filepath.Join(n.dir, "nats-server.log") }

func (n *NATS) process() *child.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

// Name is the server's name, "n1" and so on.
func (n *NATS) Name() string { return n.name }

// URL is where clients connect; it carries no credentials.
func (n *NATS) URL() string { return "nats://" + loopback(n.port) }

// Port is the client port on 127.0.0.1.
func (n *NATS) Port() int { return n.port }

// MonitorURL is the server's HTTP monitoring, as in <MonitorURL>/jsz.
func (n *NATS) MonitorURL() string { return "http://" + loopback(n.httpPort) }

// SetMaxPayload sets the largest message in bytes from the next start on.
func (n *NATS) SetMaxPayload(bytes int) { n.cfg.maxPayload = bytes }

// StoreDir is the folder of the streams.
func (n *NATS) StoreDir() string { return n.storeDir }

// PID is the process id of the latest run.
func (n *NATS) PID() int {
	n.tb.Helper()
	p := n.process()
	if p == nil {
		n.tb.Fatalf("nats-server %s was never started", n.name)
	}
	return p.Pid()
}

// Running reports whether the process is there, paused or not.
func (n *NATS) Running() bool {
	p := n.process()
	return p != nil && p.Running()
}

// Start runs the server again on the same ports and store, and returns once
// JetStream is ready. It must not be running.
func (n *NATS) Start() {
	n.tb.Helper()
	if err := n.start(); err != nil {
		n.tb.Fatalf("start nats-server %s: %v", n.name, err)
	}
}

// TryStart is Start of a server that may not get ready, because of what was done to its
// store. The server still runs after an error, unless it has ended by itself.
func (n *NATS) TryStart(within time.Duration) error {
	if err := n.spawn(); err != nil {
		return err
	}
	return n.readyWithin(within)
}

func (n *NATS) start() error { return n.TryStart(readyTimeout) }

// spawn starts the process and does not wait for it to be ready.
func (n *NATS) spawn() error {
	if n.Running() {
		return errors.New("it is running")
	}
	binary, err := natsBinary(n.cfg.version)
	if err != nil {
		return err
	}
	config := filepath.Join(n.dir, "nats-server.conf")
	if err := os.WriteFile(config, []byte(n.cfg.text(n)), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(binary, "-c", config)
	if n.cfg.clock != 0 {
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", clockEnv, int(n.cfg.clock.Seconds())))
	}
	p, err := child.Start(cmd, n.logPath())
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proc = p
	return nil
}

// WaitReady returns once the server takes clients and JetStream has its
// streams back; in a cluster, once it also knows the leader.
func (n *NATS) WaitReady() {
	n.tb.Helper()
	if err := n.waitReady(); err != nil {
		n.tb.Fatalf("wait for nats-server %s: %v", n.name, err)
	}
}

func (n *NATS) waitReady() error { return n.readyWithin(readyTimeout) }

func (n *NATS) readyWithin(within time.Duration) error {
	p := n.process()
	if p == nil {
		return errors.New("it was never started")
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		err := n.monitor(ctx, "/healthz", nil)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return n.ended()
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", within, err)
		case <-poll.C:
		}
	}
}

// monitor asks the server's HTTP monitoring, and decodes what it says into
// answer unless that is nil.
func (n *NATS) monitor(ctx context.Context, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.MonitorURL()+path, http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// ended tells why a process that should have become ready is gone.
func (n *NATS) ended() error {
	log, err := os.ReadFile(n.logPath())
	if err != nil {
		return err
	}
	if strings.Contains(string(log), "address already in use") {
		return errPortTaken
	}
	return fmt.Errorf("it ended while starting:\n%s", child.Tail(n.logPath(), maxShownLog))
}

// Stop ends the server in good order (SIGTERM) and waits for it.
func (n *NATS) Stop() { n.tb.Helper(); n.act("stop", terminate) }

// LameDuck has the server leave its clients and its leaderships to others, and waits for
// its end (SIGUSR2). It takes about a second for each client.
func (n *NATS) LameDuck() {
	n.tb.Helper()
	n.act("retire", func(p *child.Process) error {
		if err := p.Signal(syscall.SIGUSR2); err != nil {
			return err
		}
		if !p.EndsWithin(readyTimeout) {
			return errors.New("it does not end")
		}
		return nil
	})
}

// Kill ends the server at once (SIGKILL) and waits until it is gone. What it
// wrote without a sync survives: that takes a power loss, see RestoreStore.
func (n *NATS) Kill() { n.tb.Helper(); n.act("kill", (*child.Process).Kill) }

// Pause freezes the server with its connections open (SIGSTOP).
func (n *NATS) Pause() {
	n.tb.Helper()
	n.act("pause", (*child.Process).Freeze)
}

// Continue ends a Pause (SIGCONT).
func (n *NATS) Continue() {
	n.tb.Helper()
	n.act("continue", (*child.Process).Thaw)
}

func (n *NATS) act(step string, do func(*child.Process) error) {
	n.tb.Helper()
	p := n.process()
	if p == nil {
		n.tb.Fatalf("%s nats-server %s: it was never started", step, n.name)
	}
	if err := do(p); err != nil {
		n.tb.Fatalf("%s nats-server %s: %v", step, n.name, err)
	}
}

// CopyStore copies the store folder of the stopped server and returns where
// the copy is, for RestoreStore. It lasts as long as the test.
func (n *NATS) CopyStore() string {
	n.tb.Helper()
	n.mustBeStopped("copy its store")
	copied := filepath.Join(n.tb.TempDir(), "store")
	if err := os.CopyFS(copied, os.DirFS(n.storeDir)); err != nil {
		n.tb.Fatalf("copy the store of nats-server %s: %v", n.name, err)
	}
	return copied
}

// RestoreStore puts a copy in the place of the stopped server's store: the
// server has then lost everything after the copy, as by a power loss.
func (n *NATS) RestoreStore(copied string) {
	n.tb.Helper()
	n.RemoveStore()
	if err := os.CopyFS(n.storeDir, os.DirFS(copied)); err != nil {
		n.tb.Fatalf("restore the store of nats-server %s: %v", n.name, err)
	}
}

// RemoveStore removes what the stopped server stored.
func (n *NATS) RemoveStore() {
	n.tb.Helper()
	n.mustBeStopped("replace its store")
	if err := os.RemoveAll(filepath.Join(n.storeDir, "jetstream")); err != nil {
		n.tb.Fatalf("remove the store of nats-server %s: %v", n.name, err)
	}
}

func (n *NATS) mustBeStopped(why string) {
	n.tb.Helper()
	if n.Running() {
		n.tb.Fatalf("nats-server %s runs: stop it to %s", n.name, why)
	}
}
