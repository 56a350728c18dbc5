package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/bridge"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
)

func newOps() *bridge.Ops {
	return &bridge.Ops{
		Command: "push", Service: "sharing",
		NotReady: func() contract.NotReady { return "" },
		Metrics: bridge.NewMetrics("v1", []contract.Metric{
			{Name: "replhub_push_requests_total", Counter: true, Labels: []string{"code"}, Help: "Requests."},
			{Name: "replhub_push_seconds", Buckets: []float64{0.1, 1}, Help: "Seconds."},
			{Name: "replhub_push_open", Help: "Open."},
		}),
		Logger: slog.New(slog.DiscardHandler),
	}
}

func get(t *testing.T, h http.Handler, path string) (code int, body string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

func TestReadyz(t *testing.T) {
	o := newOps()
	reason := contract.NotReadyStarting
	o.NotReady = func() contract.NotReady { return reason }
	o.Degraded = func() []string { return []string{"the endpoint\nanswers 503"} }
	for _, want := range []contract.BridgeHealth{
		{Command: "push", Service: "sharing", Reason: "starting", Degraded: []string{"the endpoint answers 503"}},
		{Command: "push", Service: "sharing", Ready: true, Degraded: []string{"the endpoint answers 503"}},
	} {
		code, body := get(t, o.Handler(), "/readyz")
		var got contract.BridgeHealth
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || (code == http.StatusOK) != want.Ready {
			t.Errorf("%d (-want +got):\n%s", code, diff)
		}
		reason = ""
	}
	if code, body := get(t, o.Handler(), "/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
}

func TestMetrics(t *testing.T) {
	o := newOps()
	o.Metrics.Add("replhub_push_requests_total", 2, "2xx")
	o.Metrics.Observe("replhub_push_seconds", 0.5)
	o.Refresh = func() { o.Metrics.Set("replhub_push_open", 1) }
	_, body := get(t, o.Handler(), "/metrics")
	for _, want := range []string{
		`replhub_push_requests_total{code="2xx"} 2`, `replhub_push_seconds_bucket{le="1"} 1`, "replhub_push_open 1", `replhub_build_info{`, "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	o.Token = func() (string, error) { return "0123456789abcdef", nil }
	if code, _ := get(t, o.Handler(), "/metrics"); code != http.StatusUnauthorized {
		t.Errorf("without the token: %d", code)
	}
}

// HTTP outlasts the work, and says meanwhile that the bridge stops.
func TestRunStops(t *testing.T) {
	o := newOps()
	listener, err := opshttp.Settings{Addr: "127.0.0.1:0"}.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	finish := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- o.Run(ctx, listener, time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			<-finish
			return nil
		})
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() string {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/readyz", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	if body := ask(); !strings.Contains(body, `"ready":true`) {
		t.Error(body)
	}
	stop()
	if body := ask(); !strings.Contains(body, `"stopping"`) {
		t.Error(body)
	}
	close(finish)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunIsBounded(t *testing.T) {
	o := newOps()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	release := make(chan struct{})
	defer close(release)
	err := o.Run(ctx, nil, time.Millisecond, func(context.Context) error {
		<-release // heeds nothing
		return nil
	})
	if !errors.Is(err, bridge.ErrDrain) {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := o.Run(t.Context(), nil, time.Minute, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
