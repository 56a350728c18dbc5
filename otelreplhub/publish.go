package otelreplhub

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// publishHook is the form of replhub.Config.OnPublish.
type publishHook = func(context.Context, *replhub.Event) func(replhub.Ack, error)

// onPublish makes a span of each publish, around another hook.
func (t *Telemetry) onPublish(next publishHook) publishHook {
	return func(ctx context.Context, ev *replhub.Event) func(replhub.Ack, error) {
		began := time.Now()
		ctx, span := t.startPublish(ctx, ev)
		var nextDone func(replhub.Ack, error)
		if next != nil {
			nextDone = next(ctx, ev)
		}
		destination, _ := subjectOf(ev)
		return func(ack replhub.Ack, err error) {
			if nextDone != nil {
				nextDone(ack, err)
			}
			attributes := []attribute.KeyValue{semconv.MessagingDestinationName(destination)}
			if err != nil {
				t.failed(span, err)
				attributes = append(attributes, errorType(err))
			} else if ack.Duplicate {
				span.SetAttributes(attribute.Bool("replhub.duplicate", true))
			}
			span.End()
			t.sent.Add(ctx, 1, contract.OperationPublish, system, attributes...)
			t.operation.Record(ctx, since(began), contract.OperationPublish, system,
				append(attributes, t.operation.AttrOperationType(messagingconv.OperationTypeSend))...)
		}
	}
}

// startPublish begins the span of a publish. An event without a trace gets the span's
// own. An event that brings one keeps it; the span then is in the caller's trace with a
// link to the event's, or, without a caller's span as in a relay, in the event's.
func (t *Telemetry) startPublish(ctx context.Context, ev *replhub.Event) (context.Context, trace.Span) {
	brought := traceOf(ev.Header)
	options := []trace.SpanStartOption{trace.WithAttributes(t.publishAttributes(ev)...), trace.WithSpanKind(trace.SpanKindProducer)}
	if brought.IsValid() {
		options[1] = trace.WithSpanKind(trace.SpanKindClient) // not the span that creates the message
		if caller := trace.SpanContextFromContext(ctx); !caller.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, brought)
		} else if !caller.Equal(brought) {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: brought}))
		}
	}
	destination, _ := subjectOf(ev)
	ctx, span := t.tracer.Start(ctx, contract.OperationPublish+" "+destination, options...)
	if !brought.IsValid() {
		propagation.TraceContext{}.Inject(ctx, carrier(ev.Header))
	}
	return ctx, span
}

func (t *Telemetry) publishAttributes(ev *replhub.Event) []attribute.KeyValue {
	destination, valid := subjectOf(ev)
	attributes := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(contract.MessagingSystem),
		semconv.MessagingOperationName(contract.OperationPublish),
		semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(destination),
		semconv.MessagingMessageID(ev.ID),
		semconv.MessagingMessageBodySize(len(ev.Data)),
	}
	if valid {
		attributes = append(attributes, attribute.String(contract.AttributeEntity, ev.Entity), attribute.String(contract.AttributeOp, string(ev.Op)))
	}
	if t.cfg.Keys {
		attributes = append(attributes, attribute.String(contract.AttributeKey, replhub.KeyOf(*ev)))
	}
	return attributes
}

// subjectOf is where an event is published. The name of an entity that is not valid may
// be anything, a payload even, and is not told.
func subjectOf(ev *replhub.Event) (subject string, valid bool) {
	entity, err := subjects.ParseName(ev.Entity)
	if err != nil {
		return invalidSubject, false
	}
	op, err := subjects.ParseOp(string(ev.Op))
	if err != nil {
		return invalidSubject, false
	}
	return subjects.NewEvent(entity, op).String(), true
}

// invalidSubject stands for the subject of an event that cannot be published.
const invalidSubject = "db"
