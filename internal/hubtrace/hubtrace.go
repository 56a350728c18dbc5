// Package hubtrace makes a span of each copy that a hub makes of an event with a trace. It
// needs OpenTelemetry's API alone; whoever calls it brings the SDK.
//
// A hub begins no trace of its own: an event without the header traceparent, or with one
// that is not valid, has no span. Whether a span is recorded is decided by the sampler of
// the provider, which usually follows the publisher's decision. No span has a payload, a
// key, or a text of an error.
package hubtrace

import (
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// Scope is the instrumentation scope of a hub's spans.
const Scope = "github.com/replhub/replhub/hub"

// New returns a hub.Config.Traced that makes spans by a provider. id is the hub's.
func New(provider trace.TracerProvider, id string) func(hub.CopyTrace) func(error) {
	tracer := provider.Tracer(Scope, trace.WithSchemaURL(semconv.SchemaURL))
	return func(c hub.CopyTrace) func(error) {
		ctx := parentOf(c)
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return nil
		}
		span := start(ctx, tracer, c)
		if !span.IsRecording() {
			return nil // most of the traces, where they are sampled
		}
		span.SetAttributes(attributesOf(c, id)...)
		if c.Reason != "" {
			span.SetStatus(codes.Error, c.Reason)
		}
		return func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, "not known to be stored")
				span.SetAttributes(semconv.ErrorTypeKey.String("not_stored"))
			}
			span.End()
		}
	}
}

// start begins a copy's span, which the caller ends.
func start(ctx context.Context, tracer trace.Tracer, c hub.CopyTrace) trace.Span {
	_, span := tracer.Start(ctx, nameOf(c), trace.WithSpanKind(trace.SpanKindInternal)) //nolint:spancheck // the caller ends it
	return span                                                                         //nolint:spancheck // the caller ends it
}

// parentOf is the context of the event's trace, without one if there is no valid trace.
func parentOf(c hub.CopyTrace) context.Context {
	return propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{
		contract.HeaderTraceparent: c.Traceparent, contract.HeaderTracestate: c.Tracestate,
	})
}

// nameOf is a span's name.
func nameOf(c hub.CopyTrace) string {
	if c.Reason != "" {
		return contract.OperationDeadLetter + " " + contract.StreamDLQ
	}
	return contract.OperationCopy + " " + c.Stream
}

// attributesOf are a span's attributes.
func attributesOf(c hub.CopyTrace, id string) []attribute.KeyValue {
	entity, op := entityAndOp(c)
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(contract.MessagingSystem),
		semconv.MessagingConsumerGroupName(c.Service),
		attribute.String(contract.AttributeEntity, entity),
		attribute.String(contract.AttributeOp, op),
		attribute.String(contract.AttributePosition, c.Position),
		attribute.String(contract.AttributeHub, id),
	}
	if n, err := strconv.Atoi(c.Redriven); err == nil {
		attributes = append(attributes, attribute.Int(contract.AttributeRedriven, n))
	}
	if c.Reason != "" {
		return append(attributes,
			semconv.MessagingOperationName(contract.OperationDeadLetter), semconv.MessagingDestinationName(contract.StreamDLQ),
			attribute.String(contract.AttributeReason, c.Reason), semconv.ErrorTypeKey.String(c.Reason))
	}
	return append(attributes,
		semconv.MessagingOperationName(contract.OperationCopy), semconv.MessagingDestinationName(c.Stream))
}

// entityAndOp takes them out of sub.<service>.<entity>.<op>.<partition>, or of
// db.<entity>.<op>.
func entityAndOp(c hub.CopyTrace) (entity, op string) {
	tokens := strings.Split(c.Subject, ".")
	switch {
	case len(tokens) == 5:
		return tokens[2], tokens[3]
	case len(tokens) == 3:
		return tokens[1], tokens[2]
	}
	return "", ""
}
