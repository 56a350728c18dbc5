package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// scaleServices is the stated limit of services, scaleQuick a tenth of it.
	scaleServices = 5000
	scaleQuick    = scaleServices / 10
	// scaleEntities is how many entities the second interests are spread over.
	scaleEntities = 100
	// scaleWithin bounds one step.
	scaleWithin = 10 * time.Minute
)

// scaleStep is what one thing takes with many services.
type scaleStep struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	// Detail says how much it was.
	Detail string `json:"detail"`
	// Of the hub and the server meanwhile: seconds of processor time, and bytes.
	HubCPU     float64 `json:"hub_cpu_seconds"`
	HubPeak    int64   `json:"hub_peak_bytes"`
	ServerCPU  float64 `json:"server_cpu_seconds"`
	ServerPeak int64   `json:"server_peak_bytes"`
}

// scaleResult is a hub at the limit of services, two interests each.
type scaleResult struct {
	Services int         `json:"services"`
	Steps    []scaleStep `json:"steps"`
}

// scale is the measurement under way.
type scale struct {
	lab    *lab
	server *server
	hub    *hub
	http   string
	result *scaleResult
}

func measureScale(ctx context.Context, l *lab, opts options) (result *scaleResult, err error) {
	server, err := l.startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.kill()) }()
	s := &scale{lab: l, server: server, result: &scaleResult{Services: opts.scale()}}
	if err := s.launch(ctx); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, l.timed("scale: stop of the hub", func() error { return s.hub.proc.stop() }))
	}()
	if err := s.hub.awaitReady(ctx); err != nil {
		return nil, err
	}
	names, err := services(s.result.Services)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"register", func(ctx context.Context) (string, error) { return s.register(ctx, names) }},
		{"ls", func(ctx context.Context) (string, error) { return s.command(ctx, "ls", "--json") }},
		{"who user", func(ctx context.Context) (string, error) { return s.command(ctx, "who", "user", "--json") }},
		{"describe", func(ctx context.Context) (string, error) { return s.command(ctx, "describe", names[0].String()) }},
		{"status", func(ctx context.Context) (string, error) { return s.command(ctx, "status") }},
		{"watch, one round", s.watch},
		{"/metrics", s.metrics},
		{"/readyz", func(ctx context.Context) (string, error) { return s.get(ctx, "/readyz") }},
		{"one event to all", func(ctx context.Context) (string, error) { return s.event(ctx, names) }},
		{"restart until ready", s.restart},
		{"restart until live", s.allLive},
	} {
		if err := s.measure(ctx, step.name, step.do); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return s.result, nil
}

// timed does something and says how long it took.
func (l *lab) timed(what string, do func() error) error {
	began := time.Now()
	err := do()
	l.say("%s in %s", what, time.Since(began).Round(time.Millisecond))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// launch starts the hub on an HTTP port that is known.
func (s *scale) launch(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.http = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	env := append(hubEnvironment(s.server.url), contract.EnvHTTPAddr+"="+s.http)
	proc, err := startProcess(ctx, filepath.Join(s.server.dir, "hub.log"), env, s.lab.hub, "serve")
	if err != nil {
		return err
	}
	s.hub = &hub{proc: proc, nc: s.server.nc}
	return nil
}

// measure does one step and notes what it took.
func (s *scale) measure(ctx context.Context, name string, do func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, scaleWithin)
	defer cancel()
	hubBefore, err := newMeter(s.hub.proc.Pid())
	if err != nil {
		return err
	}
	serverBefore, err := newMeter(s.server.proc.Pid())
	if err != nil {
		return err
	}
	began := time.Now()
	detail, err := do(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if pid := s.hub.proc.Pid(); pid != hubBefore.pid {
		hubBefore = meter{pid: pid} // started meanwhile
	}
	hubUsed, err := hubBefore.read()
	if err != nil {
		return err
	}
	serverUsed, err := serverBefore.read()
	if err != nil {
		return err
	}
	s.lab.say("scale: %s in %s (%s)", name, took.Round(time.Millisecond), detail)
	s.result.Steps = append(s.result.Steps, scaleStep{
		Name: name, Seconds: took.Seconds(), Detail: detail, HubCPU: hubUsed.CPU.Seconds(), HubPeak: hubUsed.Peak,
		ServerCPU: serverUsed.CPU.Seconds(), ServerPeak: serverUsed.Peak,
	})
	return nil
}

// register registers all services, and says how the last tenth went beside the
// first.
func (s *scale) register(ctx context.Context, names []subjects.Name) (string, error) {
	tenth := len(names) / 10
	var times []time.Duration
	for len(names) > 0 {
		began := time.Now()
		some := names[:min(tenth, len(names))]
		names = names[len(some):]
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(registerAtOnce)
		for _, name := range some {
			group.Go(func() error {
				return s.hub.register(ctx, name, contract.Register{Entities: []string{"user", secondEntity(name)}})
			})
		}
		if err := group.Wait(); err != nil {
			return "", err
		}
		times = append(times, time.Since(began))
		s.lab.say("scale: %d registered in %s", len(some), times[len(times)-1].Round(time.Millisecond))
	}
	return fmt.Sprintf("the first tenth in %s, the last in %s", times[0].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond)), nil
}

// secondEntity spreads services over entities.
func secondEntity(service subjects.Name) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(service.String())) // never fails
	return fmt.Sprintf("entity-%d", sum.Sum32()%scaleEntities)
}

// command runs a verb of the command line.
func (s *scale) command(ctx context.Context, args ...string) (string, error) {
	out, err := s.verb(ctx, args...).Output()
	return fmt.Sprintf("%d bytes", len(out)), err
}

func (s *scale) verb(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.lab.hub, append(args, "--server", s.server.url)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// watch waits until every service was shown.
func (s *scale) watch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := s.verb(ctx, "watch", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	lines, buffer := 0, make([]byte, 64<<10)
	for lines < s.result.Services && err == nil {
		var n int
		n, err = out.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
	}
	cancel()
	_ = cmd.Wait() // it was killed
	return fmt.Sprintf("%d lines", lines), err
}

func (s *scale) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+path, nil)
	if err != nil {
		return "", err
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = errors.New(reply.Status)
	}
	return fmt.Sprintf("%d bytes, %d lanes", len(body), strings.Count(string(body), "\n"+contract.MetricLaneBacklog+"{")), err
}

func (s *scale) metrics(ctx context.Context) (string, error) { return s.get(ctx, "/metrics") }

// event publishes one event that every service is due, and waits for the copies.
func (s *scale) event(ctx context.Context, names []subjects.Name) (string, error) {
	streams, err := hubLanes(ctx, s.server.js, names)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.server.js.Publish(ctx, "db.user.update", []byte(`{"id":"1"}`)); err != nil {
		return "", err
	}
	err = awaitCopies(ctx, streams, func(int) uint64 { return 1 })
	return fmt.Sprintf("seen %s after the publish", time.Since(began).Round(time.Millisecond)), err
}

func (s *scale) restart(ctx context.Context) (string, error) {
	if err := s.hub.proc.stop(); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.launch(context.WithoutCancel(ctx)); err != nil { // it outlives the step
		return "", err
	}
	err := s.hub.awaitReady(ctx)
	return fmt.Sprintf("%s after its start", time.Since(began).Round(time.Millisecond)), err
}

// allLive waits until the hub says that every lane is live.
func (s *scale) allLive(ctx context.Context) (string, error) {
	return "", s.hub.proc.Await(ctx, "every lane to be live", func(ctx context.Context) error {
		reply, err := s.server.nc.RequestWithContext(ctx, subjects.Control(contract.VerbStatus, subjects.Name{}), nil)
		if err != nil {
			return err
		}
		var status contract.Status
		if err := json.Unmarshal(reply.Data, &status); err != nil {
			return err
		}
		if status.Lanes[contract.LaneLive] != s.result.Services {
			return fmt.Errorf("%v", status.Lanes)
		}
		return nil
	})
}
