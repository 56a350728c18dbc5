package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/replhub/replhub/hub"
)

// A hub exports nothing unless an endpoint is named, and refuses what it cannot do.
func TestWhenAHubTraces(t *testing.T) {
	const at = "http://127.0.0.1:4318"
	for _, tt := range []struct {
		env    string
		wanted bool
		refuse string
	}{
		{"", false, ""},
		{otelExporter + "=none " + otelEndpoint + "=" + at, false, ""},
		{otelEndpoint + "=" + at, true, ""},
		{otelTracesEndpoint + "=" + at + "/v1/traces", true, ""},
		{otelExporter + "=otlp " + otelEndpoint + "=" + at + " " + otelProtocol + "=http/protobuf", true, ""},
		{otelDisabled + "=TRUE " + otelEndpoint + "=" + at, false, ""},
		{otelExporter + "=otlp", false, otelEndpoint},
		{otelExporter + "=jaeger", false, otelExporter + "=jaeger: must be otlp or none"},
		{otelEndpoint + "=" + at + " " + otelProtocol + "=grpc", false, "4318"},
		{otelEndpoint + "=" + at + " " + otelProtocol + "=grpc " + otelTracesProtocol + "=http/protobuf", true, ""},
	} {
		t.Run(tt.env, func(t *testing.T) {
			for _, name := range []string{otelDisabled, otelExporter, otelEndpoint, otelTracesEndpoint, otelProtocol, otelTracesProtocol} {
				t.Setenv(name, "")
			}
			for set := range strings.FieldsSeq(tt.env) {
				name, value, _ := strings.Cut(set, "=")
				t.Setenv(name, value)
			}
			wanted, err := tracingWanted()
			if wanted != tt.wanted || (err == nil) != (tt.refuse == "") || err != nil && !strings.Contains(err.Error(), tt.refuse) {
				t.Errorf("%v, %v", wanted, err)
			}
		})
	}
}

// What is traced reaches a collector before the hub ends.
func TestTracesReachACollector(t *testing.T) {
	var mu sync.Mutex
	var got []string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.URL.Path+" "+r.Header.Get("X-Team")+" "+string(body))
		if err != nil {
			got = append(got, err.Error())
		}
	}))
	defer collector.Close()
	t.Setenv(otelEndpoint, collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours")
	cfg := hub.Config{ID: "hub-1", Version: "v1", Logger: slog.New(slog.DiscardHandler)}
	stop, err := startTracing(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	stored := hub.CopyTrace{
		Service: "sharing", Stream: "SUB_sharing", Subject: "sub.sharing.user.update.0", Position: "1-7",
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	cfg.Traced(stored)(nil)
	doubted := stored
	doubted.Service, doubted.Stream = "audit", "SUB_audit"
	cfg.Traced(doubted)(errors.New("doubt"))
	letter := stored
	letter.Reason, letter.Subject = "filter_error", "db.user.update"
	cfg.Traced(letter)(nil)
	back := stored
	back.Redriven = "2"
	cfg.Traced(back)(nil)
	for _, traceparent := range []string{"", "nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"} {
		stored.Traceparent = traceparent
		if cfg.Traced(stored) != nil {
			t.Errorf("traceparent %q has a span", traceparent)
		}
	}
	stop()
	all := strings.Join(got, "\n")
	for _, want := range []string{"/v1/traces a ", "copy SUB_sharing", "copy SUB_audit", "not_stored", "dead_letter DLQ", "filter_error", "1-7", "hub-1", "ours", "replhub.redriven"} {
		if !strings.Contains(all, want) {
			t.Errorf("the collector did not get %q", want)
		}
	}
}
