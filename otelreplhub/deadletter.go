package otelreplhub

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// OnDead makes a span of each dead letter, around another OnDead, which may be nil.
func (t *Telemetry) OnDead(next func(*replhub.Delivery, error)) func(*replhub.Delivery, error) {
	return func(d *replhub.Delivery, cause error) {
		ctx := context.Background()
		if event := traceOf(d.Header); event.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, event)
		}
		attributes := append(t.deliveryAttributes(d, contract.OperationDeadLetter, semconv.MessagingOperationTypeSettle),
			semconv.MessagingDestinationName(contract.StreamDLQ))
		reason := "unknown"
		if letter, ok := errors.AsType[*replhub.DeadLetterError](cause); ok {
			reason = letter.Reason
		}
		_, span := t.tracer.Start(ctx, contract.OperationDeadLetter+" "+contract.StreamDLQ, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(append(attributes, attribute.String(contract.AttributeReason, reason))...))
		t.failed(span, cause)
		if !t.cfg.ErrorTexts {
			span.SetStatus(codes.Error, reason)
		}
		span.SetAttributes(semconv.ErrorTypeKey.String(reason))
		span.End()
		if next != nil {
			next(d, cause)
		}
	}
}
