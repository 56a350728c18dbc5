package otelreplhub

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// Middleware makes a span of each attempt of a handler, and one of the time that the
// delivery waited for a worker. The handler's context has the attempt's span.
func (t *Telemetry) Middleware() replhub.Middleware {
	return func(next replhub.Handler) replhub.Handler {
		return replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
			return t.handle(ctx, d, next.Handle)
		})
	}
}

// handle makes an attempt at a delivery under a span.
func (t *Telemetry) handle(ctx context.Context, d *replhub.Delivery, attempt func(context.Context, *replhub.Delivery) error) (err error) {
	began := time.Now()
	t.delivered(ctx, d, began)
	ctx, span := t.startHandle(ctx, d, began)
	// A panic goes on to the subscriber, with its stack.
	err = errPanicked
	defer func() {
		if err != nil {
			t.failed(span, err)
		}
		span.End()
		t.processed(ctx, d.Service, began, err)
	}()
	err = attempt(ctx, d)
	return err
}

// startHandle begins the span of an attempt, in the event's trace.
func (t *Telemetry) startHandle(ctx context.Context, d *replhub.Delivery, began time.Time) (context.Context, trace.Span) {
	if of := traceOf(d.Header); of.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, of)
	}
	ctx, span := t.tracer.Start(ctx, contract.OperationHandle+" "+streamOf(d.Service), //nolint:spancheck // the caller ends it
		trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(t.deliveryAttributes(d, contract.OperationHandle, semconv.MessagingOperationTypeProcess)...))
	return ctx, span //nolint:spancheck // the caller ends it
}

// delivered counts a delivery and makes the span of its wait, at the first attempt here.
func (t *Telemetry) delivered(ctx context.Context, d *replhub.Delivery, until time.Time) {
	if d.Received.IsZero() {
		return
	}
	t.consumed.Add(ctx, 1, contract.OperationDeliver, system, of(d.Service)...)
	event := traceOf(d.Header)
	if !event.IsValid() {
		return // a trace of a wait alone tells nothing
	}
	_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, event), contract.OperationDeliver+" "+streamOf(d.Service),
		trace.WithTimestamp(d.Received), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(t.deliveryAttributes(d, contract.OperationDeliver, semconv.MessagingOperationTypeReceive)...))
	span.End(trace.WithTimestamp(until))
}

// processed records how long a handler took.
func (t *Telemetry) processed(ctx context.Context, service string, began time.Time, err error) {
	attributes := of(service)
	if err != nil {
		attributes = append(attributes, errorType(err))
	}
	t.process.Record(ctx, since(began), contract.OperationHandle, system, attributes...)
}

// of are the attributes of a service's metrics.
func of(service string) []attribute.KeyValue {
	return []attribute.KeyValue{semconv.MessagingDestinationName(streamOf(service)), semconv.MessagingConsumerGroupName(service)}
}

func streamOf(service string) string { return contract.StreamLanePrefix + service }

func (t *Telemetry) deliveryAttributes(d *replhub.Delivery, operation string, kind attribute.KeyValue) []attribute.KeyValue {
	attributes := append(of(d.Service),
		semconv.MessagingSystemKey.String(contract.MessagingSystem),
		semconv.MessagingOperationName(operation), kind,
		semconv.MessagingMessageID(d.ID),
		semconv.MessagingMessageBodySize(len(d.Data)),
		attribute.String(contract.AttributeEntity, d.Entity),
		attribute.String(contract.AttributeOp, string(d.Op)),
		attribute.String(contract.AttributePosition, positionOf(d)),
		attribute.Int(contract.AttributeAttempt, d.Attempt),
	)
	if d.Origin != "" {
		attributes = append(attributes, attribute.String(contract.AttributeOrigin, d.Origin))
	}
	if d.Row > 0 {
		attributes = append(attributes, attribute.Int64(contract.AttributeRow, int64(d.Row)))
	}
	if n := redriven(d); n > 0 {
		attributes = append(attributes, attribute.Int(contract.AttributeRedriven, n))
	}
	if t.cfg.Keys && d.Key != "" {
		attributes = append(attributes, attribute.String(contract.AttributeKey, d.Key))
	}
	return attributes
}
