package otelreplhub

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// Scope is the instrumentation scope of all spans and metrics of this package.
const Scope = "github.com/replhub/replhub/otelreplhub"

// system is messaging.system; the conventions have no constant for NATS.
const system = messagingconv.SystemAttr(contract.MessagingSystem)

// Config says where spans and metrics go, and how much they tell. The zero Config works.
type Config struct {
	// TracerProvider and MeterProvider are OpenTelemetry's global ones by default.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Keys has spans name the event's key, replhub.key. Keys may be personal data, and
	// "replhub erase" does not reach a collector. False by default.
	Keys bool
	// ErrorTexts has spans have the texts of errors. The text of a database's error may
	// quote values of the payload. By default spans have the type of an error.
	ErrorTexts bool
}

// Telemetry makes spans and metrics. Its methods may be called concurrently.
type Telemetry struct {
	cfg    Config
	tracer trace.Tracer

	sent      messagingconv.ClientSentMessages
	consumed  messagingconv.ClientConsumedMessages
	operation messagingconv.ClientOperationDuration
	process   messagingconv.ProcessDuration
}

// New makes a Telemetry. The error is that of a MeterProvider which refuses an
// instrument.
func New(cfg Config) (*Telemetry, error) {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider()
	}
	t := &Telemetry{cfg: cfg, tracer: cfg.TracerProvider.Tracer(Scope, trace.WithSchemaURL(semconv.SchemaURL))}
	meter := cfg.MeterProvider.Meter(Scope, metric.WithSchemaURL(semconv.SchemaURL))
	// The boundaries are those that the conventions advise, in seconds.
	seconds := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
	var err error
	if t.sent, err = messagingconv.NewClientSentMessages(meter); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}
	if t.consumed, err = messagingconv.NewClientConsumedMessages(meter); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}
	if t.operation, err = messagingconv.NewClientOperationDuration(meter, seconds); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}
	if t.process, err = messagingconv.NewProcessDuration(meter, seconds); err != nil {
		return nil, fmt.Errorf("make an instrument: %w", err)
	}
	return t, nil
}

// Client adds the spans and metrics of publishes to a client's Config. An OnPublish that
// is there already goes on as before.
func (t *Telemetry) Client(cfg replhub.Config) replhub.Config {
	cfg.OnPublish = t.onPublish(cfg.OnPublish)
	return cfg
}

// Subscriber adds the spans and metrics of handling to the config of a subscriber of
// single deliveries. Its middleware is inside. For batches, wrap the handler with
// [Telemetry.BatchHandler], and set OnDead to [Telemetry.OnDead].
func (t *Telemetry) Subscriber(cfg replhub.SubscriberConfig) replhub.SubscriberConfig {
	cfg.Middleware = append([]replhub.Middleware{t.Middleware()}, cfg.Middleware...)
	cfg.OnDead = t.OnDead(cfg.OnDead)
	return cfg
}

// failed has a span say that its operation failed.
func (t *Telemetry) failed(span trace.Span, err error) {
	kind := errorType(err)
	text := kind.Value.AsString()
	event := []attribute.KeyValue{semconv.ExceptionType(text)}
	if t.cfg.ErrorTexts {
		text = err.Error()
		event = append(event, semconv.ExceptionMessage(text))
	}
	span.SetStatus(codes.Error, text)
	span.SetAttributes(kind)
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(event...))
}

// since is a duration as the metrics have it.
func since(began time.Time) float64 { return time.Since(began).Seconds() }
