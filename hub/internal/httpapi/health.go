package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/contract"
)

// Reasons of a hub that is not ready.
const (
	reasonStarting = "starting"
	reasonStopping = "stopping"
	reasonIngest   = "ingest cannot be reached"
)

// maxDegraded bounds, in bytes, what /readyz lists as degraded.
const maxDegraded = 50_000

// readyz is 503 only while this hub cannot dispatch. A registry that is away or a
// lane in trouble is no reason to restart the hub: the body reports it.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	health := a.health(r.Context().Err() != nil)
	status := http.StatusOK
	if !health.Ready {
		status = http.StatusServiceUnavailable
	}
	health.Degraded = reply.Listed(health.Degraded, maxDegraded)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(health) //nolint:errchkjson // whoever asked has gone
}

func (a *API) health(stopping bool) contract.Health {
	health := contract.Health{Hub: a.cfg.Hub, Degraded: []string{}}
	reporter := a.reporter()
	switch {
	case stopping:
		health.Reason = reasonStopping
	case reporter == nil:
		health.Reason = reasonStarting
	case !reporter.Dispatching():
		health.Reason = reasonIngest
	default:
		health.Ready = true
	}
	if reporter != nil {
		health.Degraded = reporter.Degraded()
	}
	return health
}

// reporter is nil until the hub is ready.
func (a *API) reporter() *report.Reporter {
	select {
	case <-a.cfg.Ready:
		return a.cfg.Reporter()
	default:
		return nil
	}
}
