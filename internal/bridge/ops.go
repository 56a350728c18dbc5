package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
)

const (
	// maxDegraded and maxDegradedText bound what /readyz lists as degraded, and the
	// bytes of each text.
	maxDegraded     = 100
	maxDegradedText = 500
)

// Ops is the operators' side of a bridge: /healthz, /readyz and /metrics. Its fields are
// set before Run, and Health and Metrics are used concurrently.
type Ops struct {
	// Command is which bridge it is, and Service the service that it works for.
	Command, Service string
	// NotReady returns why no event flows; empty when events flow, or would if there
	// were some. /readyz is then 503, and a supervisor may start the process again: what
	// a restart does not mend is degraded instead.
	NotReady func() contract.NotReady
	// Degraded returns what does not work as it should, in sentences; nil when there is
	// never anything.
	Degraded func() []string
	// Metrics are what /metrics shows, and Refresh is called before each scrape, to set
	// gauges; nil where nothing is to be set.
	Metrics *Metrics
	Refresh func()
	// Token is what requests must have; nil demands none.
	Token  opshttp.TokenFunc
	Logger *slog.Logger
}

// Handler answers /healthz, /readyz and /metrics. If a request's context has ended,
// /readyz says that the bridge stops.
func (o *Ops) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", opshttp.Healthz)
	mux.HandleFunc("GET /readyz", o.readyz)
	mux.Handle("GET /metrics", o.metrics())
	return opshttp.Guard(mux, o.Token, o.Logger)
}

func (o *Ops) metrics() http.Handler {
	scrape := promhttp.HandlerFor(o.Metrics.registry, promhttp.HandlerOpts{
		Registry:      o.Metrics.registry,
		ErrorHandling: promhttp.ContinueOnError,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Refresh != nil {
			o.Refresh()
		}
		scrape.ServeHTTP(w, r)
	})
}

func (o *Ops) readyz(w http.ResponseWriter, r *http.Request) {
	health := o.health(r.Context().Err() != nil)
	status := http.StatusOK
	if !health.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(health) //nolint:errchkjson // the client has gone
}

func (o *Ops) health(stopping bool) contract.BridgeHealth {
	health := contract.BridgeHealth{Command: o.Command, Service: o.Service, Degraded: []string{}}
	if health.Reason = o.NotReady(); stopping {
		health.Reason = contract.NotReadyStopping
	}
	health.Ready = health.Reason == ""
	if o.Degraded == nil {
		return health
	}
	for _, text := range o.Degraded() {
		if len(health.Degraded) < maxDegraded {
			health.Degraded = append(health.Degraded, OneLine(text, maxDegradedText))
		}
	}
	return health
}

// Run runs work until it ends, which it does soon after ctx has, and serves HTTP on the
// listener meanwhile: probes see the bridge stop. A nil listener serves nothing. Where
// work takes longer than drain after the end of ctx, Run returns ErrDrain while work
// still runs: the process then has to end.
func (o *Ops) Run(ctx context.Context, listener net.Listener, drain time.Duration, work func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	web, stopWeb := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWeb()
	if listener != nil {
		group.Go(func() error { return opshttp.Serve(web, ctx, listener, o.Handler(), o.Logger) })
	}
	done := make(chan struct{})
	group.Go(func() error {
		defer stopWeb()
		defer close(done)
		return work(ctx)
	})
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	select {
	case <-done:
		return <-ended
	case <-ctx.Done():
	}
	patience := time.NewTimer(drain)
	defer patience.Stop()
	select {
	case err := <-ended:
		return err
	case <-patience.C:
		return ErrDrain
	}
}

// ErrDrain means that a stop took too long. What was under way is done again after the
// next start.
var ErrDrain = errors.New("the work under way did not end in time; unfinished work is repeated after the next start")
