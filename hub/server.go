package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/place"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/jsapi"
	"github.com/replhub/replhub/internal/reconnect"
)

// checkServer refuses a server that cannot do what the hub needs, in one line
// that says what to do.
func (h *Hub) checkServer(ctx context.Context) error {
	fast, err := h.checkVersions(ctx)
	if err != nil {
		return err
	}
	h.fast = fast
	js, err := jsapi.Open(h.nc, h.cfg.Domain)
	if err != nil {
		return err
	}
	account, err := js.AccountInfo(ctx)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("the server at %s runs without JetStream: start it with `nats-server -js`, or enable JetStream for this account", reconnect.Server(h.nc))
	case err != nil:
		return fmt.Errorf("ask %s for JetStream: %w", reconnect.Server(h.nc), err)
	}
	h.domain = account.Domain
	h.js = retry.JetStream(place.JetStream(js, h.domain))
	return nil
}

// watchVersion ends the hub when it has reconnected to a server that is too old, or to
// one whose cluster has such a server: appends would be taken one by one.
func (h *Hub) watchVersion(ctx context.Context) error {
	back := h.nc.StatusChanged(nats.CONNECTED)
	defer h.nc.RemoveStatusListener(back)
	for {
		// Empty while there is no connection, and asked once more after the listener began.
		if version := h.nc.ConnectedServerVersion(); version != "" {
			if _, err := h.checkVersions(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case _, open := <-back:
			if !open {
				return nil // with the connection
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// peersTime bounds the wait for a cluster to announce its servers. It does so a
// moment after the connection stands, and the replicas chosen now stay.
const peersTime = 2 * time.Second

// hasPeers reports whether the cluster has n servers.
func (h *Hub) hasPeers(ctx context.Context, n int) bool {
	ctx, cancel := context.WithTimeout(ctx, peersTime)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for len(h.nc.Servers()) < n {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// chooseReplicas returns the configured replicas; else those that ingest has; else 3
// where the cluster has enough servers; else 1, with a warning.
func (h *Hub) chooseReplicas(ctx context.Context) (int, error) {
	if h.cfg.Replicas > 0 {
		return h.cfg.Replicas, nil
	}
	s, err := h.js.Stream(ctx, contract.StreamIngest)
	if err == nil {
		return max(s.CachedInfo().Config.Replicas, 1), nil
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, fmt.Errorf("look up stream %q: %w", contract.StreamIngest, err)
	}
	if h.nc.ConnectedClusterName() != "" && h.hasPeers(ctx, 3) {
		return 3, nil
	}
	h.log.Warn("streams will have one replica: a lost disk loses events; a cluster of three gives three replicas")
	return 1, nil
}
