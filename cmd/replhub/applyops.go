package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/reconnect"
)

// applied runs an instance beside its HTTP.
func (a *app) applied(ctx context.Context, f *applyFlags, cfg apply.Config, runner *apply.Applier, conn *serviceConn, log *slog.Logger) (s apply.Summary, err error) {
	listener, err := f.listen(ctx)
	if err != nil {
		return s, err
	}
	ops := &bridge.Ops{
		Command: "apply", Service: cfg.Service, Token: f.http.Token(), Logger: log,
		NotReady: func() contract.NotReady {
			switch {
			case !conn.nc.IsConnected():
				return contract.NotReadyNATS
			case !runner.Status().Running:
				return contract.NotReadyStarting
			default:
				return ""
			}
		},
		Degraded: func() []string { return runner.Status().Degraded() },
		Metrics:  bridge.NewMetrics(buildVersion(), nil),
	}
	ops.Metrics.Collect(newApplyCollector(cfg.Service, runner.Status))
	at := "none"
	if listener != nil {
		at = listener.Addr().String()
	}
	log.Info("starting", "service", cfg.Service, "nats", reconnect.Server(conn.nc), "http", at, "version", buildVersion())
	// A stop has the subscriber's own time; this one is for what hangs.
	err = ops.Run(ctx, listener, f.drain+5*time.Second, func(ctx context.Context) error {
		var err error
		s, err = runner.Run(ctx)
		return err
	})
	return s, err
}

// applyCollector shows an instance's status as metrics.
type applyCollector struct {
	service string
	status  func() apply.Status
	descs   map[string]*prometheus.Desc
}

func newApplyCollector(service string, status func() apply.Status) *applyCollector {
	c := &applyCollector{service: service, status: status, descs: map[string]*prometheus.Desc{}}
	for _, m := range contract.ApplyMetrics() {
		c.descs[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *applyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *applyCollector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	emit := func(name string, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.descs[name], kind, value, append([]string{c.service}, labels...)...)
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		emit(contract.MetricApplyChanges, prometheus.CounterValue, float64(t.Applied), t.Entity, t.Table, "applied")
		emit(contract.MetricApplyChanges, prometheus.CounterValue, float64(t.Passed), t.Entity, t.Table, "passed")
		emit(contract.MetricApplyDeadLetters, prometheus.CounterValue, float64(t.DeadLetters), t.Entity, t.Table)
	}
	for _, u := range s.Unmapped {
		emit(contract.MetricApplyUnmapped, prometheus.CounterValue, float64(u.Deliveries), u.Entity, u.Member, u.Column)
	}
	away := 0.0
	if s.Away.Unavailable {
		away = 1
	}
	emit(contract.MetricApplyUnavailable, prometheus.GaugeValue, away)
	emit(contract.MetricApplyWaiting, prometheus.GaugeValue, float64(s.Waiting.ForRow+s.Waiting.ForUnique))
	if s.Lane != nil {
		emit(contract.MetricApplyBacklog, prometheus.GaugeValue, float64(s.Lane.Backlog))
		emit(contract.MetricApplyLag, prometheus.GaugeValue, float64(s.Lane.Lag))
		emit(contract.MetricApplyOldest, prometheus.GaugeValue, s.Lane.OldestUnacked.Seconds())
	}
}
