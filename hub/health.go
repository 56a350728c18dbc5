package hub

import (
	"encoding/json"
	"net/http"
)

// Health is the body of /readyz.
type Health struct {
	Hub string `json:"hub"`
	// Ready is whether this hub can dispatch.
	Ready bool `json:"ready"`
	// Reason is why it is not ready.
	Reason string `json:"reason,omitempty"`
	// Degraded is what does not work as it should, though events flow.
	Degraded []string `json:"degraded"`
}

// Reasons of a hub that is not ready.
const (
	reasonStarting = "starting"
	reasonStopping = "stopping"
	reasonIngest   = "ingest cannot be reached"
)

// healthz says that the process lives.
func (h *Hub) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz is 503 only while this hub cannot dispatch. A registry that is away or
// a lane in trouble is no reason to restart the hub: it is told in the body.
func (h *Hub) readyz(w http.ResponseWriter, r *http.Request) {
	health := h.health(r.Context().Err() != nil)
	status := http.StatusOK
	if !health.Ready {
		status = http.StatusServiceUnavailable
	}
	health.Degraded = listed(health.Degraded, maxReasons*maxReason)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(health) //nolint:errchkjson // whoever asked has gone
}

func (h *Hub) health(stopping bool) Health {
	health := Health{Hub: h.cfg.ID, Degraded: []string{}}
	switch {
	case stopping:
		health.Reason = reasonStopping
	case !h.isReady():
		health.Reason = reasonStarting
	case !h.dispatching.Load():
		health.Reason = reasonIngest
	default:
		health.Ready = true
	}
	if h.isReady() {
		health.Degraded = h.degraded()
	}
	return health
}

// isReady reports whether Ready is closed; before, lanes and ingest may not be
// looked at.
func (h *Hub) isReady() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}
