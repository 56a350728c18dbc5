package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	hubID = "bench"
	// registerTime bounds one registration, registerAtOnce how many are under
	// way at a time.
	registerTime   = 30 * time.Second
	registerAtOnce = 8
)

// hub is a `replhub serve` process against a server.
type hub struct {
	proc *process
	nc   *nats.Conn
}

// launchHub starts a hub of an id and does not wait.
func (l *lab) launchHub(ctx context.Context, s *server, id string) (*hub, error) {
	env := append(hubEnvironment(s.url), contract.EnvHubID+"="+id)
	proc, err := startProcess(ctx, filepath.Join(s.dir, id+".log"), env, l.hub, "serve")
	if err != nil {
		return nil, err
	}
	return &hub{proc: proc, nc: s.nc}, nil
}

// startHub starts a hub and returns once it answers requests.
func (l *lab) startHub(ctx context.Context, s *server) (*hub, error) {
	h, err := l.launchHub(ctx, s, hubID)
	if err != nil {
		return nil, err
	}
	if err := h.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, h.proc.stop())
	}
	return h, nil
}

func (h *hub) awaitReady(ctx context.Context) error {
	return h.proc.await(ctx, "the hub", h.ready)
}

// ready asks the hub whether it is.
func (h *hub) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	reply, err := h.nc.RequestWithContext(ctx, subjects.Control(contract.VerbStatus, subjects.Name{}), nil)
	if err != nil {
		return err
	}
	var status contract.Status
	if err := json.Unmarshal(reply.Data, &status); err != nil {
		return err
	}
	if !status.Ready {
		return errors.New("not ready")
	}
	return nil
}

// hubEnvironment is this process's without what would configure a hub, and with
// this bench's settings. The lanes' limit is out of the way: it is not what is
// measured.
func hubEnvironment(url string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, contract.EnvironmentPrefix) && !strings.HasPrefix(v, "NATS_") {
			env = append(env, v)
		}
	}
	return append(env,
		contract.EnvNATSURL+"="+url,
		contract.EnvRegistry+"=kv",
		contract.EnvReplicas+"=1",
		contract.EnvHTTPAddr+"=127.0.0.1:0",
		contract.EnvHubID+"="+hubID,
		contract.EnvLaneMaxBytes+"=64GiB",
	)
}

// register puts a registration in force.
func (h *hub) register(ctx context.Context, service subjects.Name, r contract.Register) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, registerTime)
	defer cancel()
	reply, err := h.nc.RequestWithContext(ctx, subjects.Control(contract.VerbRegister, service), data)
	if err != nil {
		return fmt.Errorf("register %s: %w", service, err)
	}
	if refused := reply.Header.Get(micro.ErrorHeader); refused != "" {
		return fmt.Errorf("register %s: %s", service, refused)
	}
	return nil
}

// registerAll registers every service for the same.
func (h *hub) registerAll(ctx context.Context, services []subjects.Name, r contract.Register) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(registerAtOnce)
	for _, service := range services {
		group.Go(func() error { return h.register(ctx, service, r) })
	}
	return group.Wait()
}

// services are n names of services.
func services(n int) ([]subjects.Name, error) {
	names := make([]subjects.Name, n)
	for i := range names {
		var err error
		if names[i], err = subjects.ParseName(fmt.Sprintf("lane-%04d", i)); err != nil {
			return nil, err
		}
	}
	return names, nil
}
