package otelreplhub_test

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/replhub/replhub"
)

func jetstreamOf(nc *nats.Conn) (jetstream.JetStream, error) { return jetstream.New(nc) }

// subscribe runs a traced handler of users until the test ends.
func (l *lab) subscribe(service string, handle replhub.HandlerFunc) {
	l.t.Helper()
	cfg := l.telemetry.Subscriber(replhub.SubscriberConfig{
		MaxAttempts: 2, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}},
	})
	sub, err := replhub.NewSubscriber(l.client(service), cfg, handle)
	l.must(err)
	l.run(func(ctx context.Context) error { return sub.Run(ctx) })
	<-sub.Ready()
}

// named are the spans of a name that have ended.
func (l *lab) named(name string) []tracetest.SpanStub {
	var found []tracetest.SpanStub
	for _, s := range l.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// awaitAny waits for a span of a name, in any trace.
func (l *lab) awaitAny(name string) tracetest.SpanStub {
	l.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if found := l.named(name); len(found) > 0 {
			return found[0]
		}
		<-time.After(5 * time.Millisecond)
	}
	l.t.Fatalf("no span %s", name)
	return tracetest.SpanStub{}
}

// metrics checks the attributes of each instrument and that it counts n.
func (l *lab) metrics(want map[string]map[string]any, n uint64) {
	l.t.Helper()
	var all metricdata.ResourceMetrics
	l.must(l.reader.Collect(l.t.Context(), &all))
	found := make(map[string]bool)
	check := func(name string, set attribute.Set, count uint64) {
		found[name] = true
		if count != n {
			l.t.Errorf("%s counts %d, want %d", name, count, n)
		}
		for key, v := range want[name] {
			if got, _ := set.Value(attribute.Key(key)); got.AsInterface() != v {
				l.t.Errorf("%s: %s is %v, want %v", name, key, got.AsInterface(), v)
			}
		}
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					check(m.Name, p.Attributes, uint64(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					check(m.Name, p.Attributes, p.Count)
				}
			}
		}
	}
	for name := range want {
		if !found[name] {
			l.t.Errorf("no metric %s", name)
		}
	}
}
