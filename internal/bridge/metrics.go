package bridge

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/replhub/replhub/internal/contract"
)

// Metrics are what a bridge counts. Its methods may be called concurrently. A name that
// is not in the table, or other labels than the table has, are a fault of the program,
// and panic.
type Metrics struct {
	registry   *prometheus.Registry
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
}

// NewMetrics makes the metrics of a table, beside those of Go, of the process, and
// replhub_build_info with this version.
func NewMetrics(version string, table []contract.Metric) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		counters:   make(map[string]*prometheus.CounterVec),
		gauges:     make(map[string]*prometheus.GaugeVec),
		histograms: make(map[string]*prometheus.HistogramVec),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, metric := range append(buildInfo(), table...) {
		m.register(metric)
	}
	m.Set(contract.MetricBuildInfo, 1, version, runtime.Version())
	return m
}

// buildInfo is the metric that a bridge shares with the hub.
func buildInfo() []contract.Metric {
	for _, m := range contract.Metrics() {
		if m.Name == contract.MetricBuildInfo {
			return []contract.Metric{m}
		}
	}
	return nil
}

func (m *Metrics) register(metric contract.Metric) {
	switch {
	case metric.Buckets != nil:
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: metric.Name, Help: metric.Help, Buckets: metric.Buckets}, metric.Labels)
		m.histograms[metric.Name] = v
		m.registry.MustRegister(v)
	case metric.Counter:
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: metric.Name, Help: metric.Help}, metric.Labels)
		m.counters[metric.Name] = v
		m.registry.MustRegister(v)
	default:
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: metric.Name, Help: metric.Help}, metric.Labels)
		m.gauges[metric.Name] = v
		m.registry.MustRegister(v)
	}
}

// Add raises a counter; with 0 it only appears, so that a rate begins at its first event.
func (m *Metrics) Add(name string, by float64, labels ...string) {
	m.counters[name].WithLabelValues(labels...).Add(by)
}

// Set sets a gauge.
func (m *Metrics) Set(name string, value float64, labels ...string) {
	m.gauges[name].WithLabelValues(labels...).Set(value)
}

// Observe counts a value in a histogram.
func (m *Metrics) Observe(name string, value float64, labels ...string) {
	m.histograms[name].WithLabelValues(labels...).Observe(value)
}

// Collect adds metrics that are computed at each scrape.
func (m *Metrics) Collect(c prometheus.Collector) { m.registry.MustRegister(c) }
