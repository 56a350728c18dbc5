package otelreplhub

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/replhub/replhub/internal/contract"
)

// carrier is an event's header as OpenTelemetry reads and writes it. Names are read in
// any letter case, since clients of other languages write "Traceparent".
type carrier map[string][]string

// Get returns the first value under a name; a header that is there twice is not valid.
func (c carrier) Get(name string) string {
	found, n := "", 0
	for own, values := range c {
		if strings.EqualFold(own, name) && len(values) > 0 {
			found = values[0]
			n += len(values)
		}
	}
	if n > 1 && strings.EqualFold(name, contract.HeaderTraceparent) {
		return ""
	}
	return found
}

// Set replaces what is there under the name.
func (c carrier) Set(name, value string) {
	for own := range c {
		if strings.EqualFold(own, name) {
			delete(c, own)
		}
	}
	c[name] = []string{value}
}

// Keys returns the names.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for name := range c {
		keys = append(keys, name)
	}
	return keys
}

// traceOf is the trace context in an event's header; it is not valid if there is none.
func traceOf(header map[string][]string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), carrier(header))
	return trace.SpanContextFromContext(ctx)
}

// Headers gives the headers that carry the trace of ctx; none without a trace. It fits
// outbox.Config.Trace: the event then belongs to the trace in which it was enqueued,
// whenever a relay publishes it.
func (t *Telemetry) Headers(ctx context.Context) map[string]string {
	headers := make(propagation.MapCarrier)
	propagation.TraceContext{}.Inject(ctx, headers)
	return headers
}
