package httpapi

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/report"
	"github.com/replhub/replhub/internal/contract"
)

// metricsHandler answers /metrics from a registry of its own.
func (a *API) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(a),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry,
		// If one value cannot be read, the others are still reported.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// collector turns the hub's state into metrics at each scrape. The processing of
// events keeps no counters for it.
type collector struct {
	api      *API
	metrics  map[string]metric
	measured measurements
}

type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newCollector(a *API) *collector {
	c := &collector{api: a, metrics: make(map[string]metric)}
	for _, m := range contract.Metrics() {
		kind := prometheus.GaugeValue
		if m.Counter {
			kind = prometheus.CounterValue
		}
		c.metrics[m.Name] = metric{prometheus.NewDesc(m.Name, m.Help, m.Labels, nil), kind}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	emit := func(name string, value float64, labels ...string) {
		m := c.metrics[name]
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
	}
	health := c.api.health(false)
	emit(contract.MetricBuildInfo, 1, c.api.cfg.Version, runtime.Version())
	emit(contract.MetricReady, oneIf(health.Ready))
	emit(contract.MetricDegraded, float64(len(health.Degraded)))
	reporter := c.api.reporter()
	if reporter == nil {
		return
	}
	figures := reporter.Figures()
	collectHub(emit, figures)
	for _, l := range figures.Lanes {
		emit(contract.MetricLaneOwned, oneIf(l.Owned), l.Service)
		collectCounts(emit, l.Service, l.Counts)
	}
	collectMeasured(emit, c.measured.get(reporter), figures.IngestMaxBytes)
}

type emitter func(name string, value float64, labels ...string)

func collectHub(emit emitter, f report.Figures) {
	emit(contract.MetricHubs, float64(f.Hubs))
	emit(contract.MetricRegistryConnected, oneIf(f.RegistryConnected), f.RegistryKind)
	emit(contract.MetricAlarms, float64(f.Alarms))
	emit(contract.MetricIngestEpoch, float64(f.Epoch))
	emit(contract.MetricIngestFloor, float64(f.Floor))
	emit(contract.MetricIngestMaxBytes, float64(f.IngestMaxBytes))
	if f.IngestFull != nil {
		emit(contract.MetricIngestFull, 1, f.IngestFull.By, f.IngestFull.Service)
	}
}

func collectCounts(emit emitter, service string, n lane.Counts) {
	emit(contract.MetricLaneCopies, float64(n.Copies), service)
	emit(contract.MetricLaneCopiedBytes, float64(n.Bytes), service)
	emit(contract.MetricLaneAppends, float64(n.Single), service, "single")
	emit(contract.MetricLaneAppends, float64(n.Atomic), service, "atomic")
	emit(contract.MetricLaneAppends, float64(n.Fast), service, "fast")
	emit(contract.MetricLaneStateRecords, float64(n.Records), service)
	emit(contract.MetricLaneFenced, float64(n.Fenced), service)
	emit(contract.MetricLaneRetries, float64(n.Retries), service)
	emit(contract.MetricLaneForeign, float64(n.Foreign), service)
	emit(contract.MetricLaneDeadLettered, float64(n.Dead), service)
}

// collectMeasured emits the values that the server was asked for. A value without an
// answer is absent, because an old value would look valid.
func collectMeasured(emit emitter, m *report.Measurement, ingestMaxBytes int64) {
	if m == nil {
		return
	}
	b := m.Bounds
	emit(contract.MetricIngestFirst, float64(b.First))
	emit(contract.MetricIngestLast, float64(b.Last))
	emit(contract.MetricIngestMessages, float64(b.Messages))
	emit(contract.MetricIngestBytes, float64(b.Bytes))
	emit(contract.MetricIngestFill, float64(b.Bytes)/float64(ingestMaxBytes))
	emit(contract.MetricIngestRate, m.Rate)
	for _, s := range m.Lanes {
		collectLane(emit, s)
	}
}

func collectLane(emit emitter, s report.Lane) {
	for _, state := range contract.LaneStates() {
		emit(contract.MetricLaneState, oneIf(s.State == state), s.Service, state)
	}
	switch s.State {
	case contract.LaneStalled, contract.LaneDetached, contract.LaneIncompatible:
		emit(contract.MetricLaneTrouble, 1, s.Service, s.State, string(s.Trouble))
	}
	emit(contract.MetricLanePosition, float64(s.Seq), s.Service)
	emit(contract.MetricLaneLagEvents, float64(s.Lag), s.Service)
	emit(contract.MetricLaneLagSeconds, s.LagSeconds, s.Service)
	emit(contract.MetricLaneBacklog, float64(s.Backlog), s.Service)
	emit(contract.MetricLaneOldestUnacked, s.OldestUnacked, s.Service)
	emit(contract.MetricLaneMessages, float64(s.Messages), s.Service)
	emit(contract.MetricLaneStreamBytes, float64(s.Bytes), s.Service)
	emit(contract.MetricLaneMaxBytes, float64(s.MaxBytes), s.Service)
	if !s.DeadLettersUnknown {
		emit(contract.MetricLaneDeadLetters, float64(s.DeadLetters), s.Service)
	}
	emit(contract.MetricLaneUnavailable, float64(len(s.Unavailable)), s.Service)
	collectSnapshots(emit, s.LaneStatus)
	if f := s.Fill; f != nil && !f.OfRows() {
		remaining, all := float64(f.To-min(f.At, f.To)), float64(f.To-min(f.From, f.To))
		emit(contract.MetricLaneFillRemaining, remaining, s.Service)
		emit(contract.MetricLaneFillRatio, 1-remaining/max(all, remaining, 1), s.Service)
	}
}

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
