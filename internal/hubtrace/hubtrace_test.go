package hubtrace_test

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/hubtrace"
)

// BenchmarkCopy is what a span costs the copying: of a trace that is sampled, and of one
// that is not.
func BenchmarkCopy(b *testing.B) {
	traced := hubtrace.New(sdktrace.NewTracerProvider(), "hub-1")
	for name, flags := range map[string]string{"sampled": "01", "unsampled": "00"} {
		b.Run(name, func(b *testing.B) {
			c := hub.CopyTrace{
				Service: "sharing", Stream: "SUB_sharing", Subject: "sub.sharing.user.update.0", Position: "1-7",
				Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flags,
			}
			for b.Loop() {
				if done := traced(c); done != nil {
					done(nil)
				}
			}
		})
	}
}
