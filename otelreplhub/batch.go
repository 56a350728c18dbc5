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

// BatchHandler makes spans of the attempts of a handler of batches. A batch of one
// delivery is as with [Telemetry.Middleware]. For a larger one, the handler's context
// has a span of its own trace, with links to the events' traces. When the batch
// succeeds, each event's trace gets spans of its wait and of the batch, with a link to
// the batch's span. A batch that fails is handed over again in parts, and says nothing
// of its events yet.
func (t *Telemetry) BatchHandler(next replhub.BatchHandler) replhub.BatchHandler {
	return replhub.BatchHandlerFunc(func(ctx context.Context, batch []*replhub.Delivery) error {
		if len(batch) == 1 {
			return t.handle(ctx, batch[0], func(ctx context.Context, _ *replhub.Delivery) error { return next.HandleBatch(ctx, batch) })
		}
		return t.handleBatch(ctx, batch, next)
	})
}

// handleBatch makes an attempt at several deliveries.
func (t *Telemetry) handleBatch(ctx context.Context, batch []*replhub.Delivery, next replhub.BatchHandler) (err error) {
	began, service := time.Now(), batch[0].Service
	ctx, span := t.startBatch(ctx, batch, began)
	// A panic goes on to the subscriber, with its stack.
	err = errPanicked
	defer func() {
		if err != nil {
			t.failed(span, err)
		} else {
			t.handledTogether(ctx, batch, began, span.SpanContext())
		}
		span.End()
		t.processed(ctx, service, began, err)
	}()
	err = next.HandleBatch(ctx, batch)
	return err
}

// startBatch begins the span of a batch, a trace of its own: there is no parent that all
// events share.
func (t *Telemetry) startBatch(ctx context.Context, batch []*replhub.Delivery, began time.Time) (context.Context, trace.Span) {
	links := make([]trace.Link, 0, len(batch))
	for _, d := range batch {
		if event := traceOf(d.Header); event.IsValid() {
			links = append(links, trace.Link{SpanContext: event, Attributes: []attribute.KeyValue{semconv.MessagingMessageID(d.ID)}})
		}
	}
	service := batch[0].Service
	attributes := append(of(service),
		semconv.MessagingSystemKey.String(contract.MessagingSystem),
		semconv.MessagingOperationName(contract.OperationHandle), semconv.MessagingOperationTypeProcess,
		semconv.MessagingBatchMessageCount(len(batch)))
	ctx, span := t.tracer.Start(ctx, contract.OperationHandle+" "+streamOf(service), trace.WithTimestamp(began), //nolint:spancheck // the caller ends it
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...), trace.WithAttributes(attributes...))
	return ctx, span //nolint:spancheck // the caller ends it
}

// handledTogether puts spans into the traces of the events of a batch that succeeded.
func (t *Telemetry) handledTogether(ctx context.Context, batch []*replhub.Delivery, began time.Time, together trace.SpanContext) {
	for _, d := range batch {
		t.delivered(ctx, d, began)
		if !traceOf(d.Header).IsValid() {
			continue
		}
		_, span := t.startHandle(ctx, d, began)
		span.AddLink(trace.Link{SpanContext: together})
		span.End()
	}
}
