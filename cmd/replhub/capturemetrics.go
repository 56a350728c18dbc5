package main

import (
	"sync"

	"github.com/replhub/replhub/capture"
	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/internal/contract"
)

// captureFigures shows what a capture counts. A capture counts by itself, so each scrape
// adds what came since the one before.
type captureFigures struct {
	metrics *bridge.Metrics
	capture *capture.Capture

	mu    sync.Mutex // guards shown
	shown map[string]uint64
}

// refresh brings the metrics up to date.
func (f *captureFigures) refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.capture.Status()
	for name, value := range map[string]uint64{
		contract.MetricCaptureEvents: s.Events, contract.MetricCaptureBytes: s.Bytes, contract.MetricCaptureTransactions: s.Transactions,
		contract.MetricCaptureLookups: s.Lookups, contract.MetricCaptureSuperseded: s.Superseded, contract.MetricCaptureSkipped: s.Skipped,
		contract.MetricCaptureTruncates: s.Truncates, contract.MetricCaptureRefused: s.Refused, contract.MetricCaptureLeftOut: s.LeftOut, contract.MetricCaptureSessions: s.Sessions,
	} {
		f.metrics.Add(name, float64(value-f.shown[name]))
		f.shown[name] = value
	}
	f.metrics.Set(contract.MetricCaptureLag, float64(s.Unconfirmed))
	f.metrics.Set(contract.MetricCaptureDegraded, float64(len(f.capture.Degraded())))
	for _, state := range contract.CaptureStates() {
		f.metrics.Set(contract.MetricCaptureState, oneIf(state == s.State), state)
	}
}
