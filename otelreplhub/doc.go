// Package otelreplhub makes OpenTelemetry's spans and metrics of what a service does with
// replhub. It is a module of its own, so that the SDK depends on NATS alone.
//
// The spans of an event are in one trace, which the header traceparent joins:
//
//	publish db.user.update   Config and the client's publishes
//	copy SUB_sharing         the hub, where it exports traces
//	deliver SUB_sharing      how long the copy waited in an instance for a worker
//	handle SUB_sharing       an attempt of the handler
//	dead_letter DLQ          where the event became a dead letter
//
// The event's trace context is that of the publish, or, where the event brings a
// traceparent (an outbox that has [Telemetry.Headers] sets the one of the transaction),
// that one: it is never replaced. All other spans have it as their parent. A traceparent
// that is not valid counts as none.
//
// Names and attributes are those of the semantic conventions for messaging, version
// 1.43, and attributes that begin with "replhub.". Payloads are never in spans. Keys and
// the texts of errors, which may have parts of payloads, are only where Config asks for
// them. Of the trace, sampling is decided by the provider.
//
// A change goes through the files in this order: publish.go, headers.go, handle.go,
// batch.go, deadletter.go.
package otelreplhub
