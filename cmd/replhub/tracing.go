package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/go-logr/logr"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/hubtrace"
)

// OpenTelemetry's variables that decide whether a hub traces. Its SDK reads the others:
// headers, certificates, timeouts, the sampler, the resource.
const (
	otelDisabled       = "OTEL_SDK_DISABLED"
	otelExporter       = "OTEL_TRACES_EXPORTER"
	otelEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otelTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	otelProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	otelTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"

	otlpHTTP = "http/protobuf"
)

// tracingWanted reads these variables. Unlike OpenTelemetry's own default, nothing is
// exported unless an endpoint is stated: a hub must not send data to a collector that
// nobody named.
func tracingWanted() (bool, error) {
	if strings.EqualFold(os.Getenv(otelDisabled), "true") {
		return false, nil
	}
	endpoint := os.Getenv(otelTracesEndpoint) + os.Getenv(otelEndpoint)
	switch exporter := os.Getenv(otelExporter); {
	case exporter == "none", exporter == "" && endpoint == "":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("%s=%s: must be otlp or none", otelExporter, exporter)
	case endpoint == "":
		return false, fmt.Errorf("%s=otlp needs %s, such as http://127.0.0.1:4318", otelExporter, otelEndpoint)
	}
	for _, name := range []string{otelTracesProtocol, otelProtocol} {
		protocol := os.Getenv(name)
		if protocol != "" && protocol != otlpHTTP {
			return false, fmt.Errorf("%s=%s: must be %s, for which collectors listen on port 4318", name, protocol, otlpHTTP)
		}
		if protocol != "" {
			break
		}
	}
	return true, nil
}

// startTracing has the hub trace where the environment asks for it. stop sends what
// is waiting.
func startTracing(ctx context.Context, cfg *hub.Config) (stop func(), err error) {
	wanted, err := tracingWanted()
	if err != nil || !wanted {
		return func() {}, err
	}
	otel.SetLogger(logr.Discard()) // it prints the values of variables that it cannot read, which may be secrets
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", withoutAddress(err))
	}
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("replhub"), semconv.ServiceVersion(cfg.Version), attribute.String("service.instance.id", cfg.ID)),
		resource.WithFromEnv(), // the last one wins
	)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(exportErrors(cfg.Logger))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	cfg.Traced = hubtrace.New(provider, cfg.ID)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			cfg.Logger.Warn("send the last traces", "err", withoutAddress(err))
		}
	}, nil
}

const (
	// flushTime bounds the sending of what waits when the hub ends.
	flushTime = 3 * time.Second
	// exportErrorEvery is the least time between two reports that traces are lost.
	exportErrorEvery = time.Minute
)

// exportErrors logs errors of the exporter, which tries again by itself.
func exportErrors(log *slog.Logger) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		now, before := time.Now().UnixNano(), last.Load()
		if before != 0 && time.Duration(now-before) < exportErrorEvery || !last.CompareAndSwap(before, now) {
			return
		}
		log.Warn("traces cannot be exported; copying is not affected", "err", withoutAddress(err))
	}
}

// withoutAddress is the error without the endpoint's address, whose path may be a secret,
// and without what the collector answered.
func withoutAddress(err error) error {
	if at, ok := errors.AsType[*url.Error](err); ok {
		return at.Err
	}
	if strings.Contains(err.Error(), "://") {
		return errRefused
	}
	return err
}

var errRefused = errors.New("the collector did not take them; its own log says why")
