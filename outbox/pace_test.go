package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// A relay that looks once an hour publishes at once what its process enqueues,
// or what it is told of.
func TestRelayIsWoken(t *testing.T) {
	for name, wake := range map[string]func(here, elsewhere *outbox.Outbox, r *outbox.Relay) (*outbox.Outbox, func()){
		"by Enqueue": func(here, _ *outbox.Outbox, _ *outbox.Relay) (*outbox.Outbox, func()) { return here, func() {} },
		"by Wake":    func(_, elsewhere *outbox.Outbox, r *outbox.Relay) (*outbox.Outbox, func()) { return elsewhere, r.Wake },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, p *place) {
				arrived := make(chan struct{})
				r, _ := p.run(publisherFunc(func(_ context.Context, events []replhub.Event) ([]replhub.Ack, error) {
					close(arrived)
					return make([]replhub.Ack, len(events)), nil
				}), func(cfg *outbox.RelayConfig) { cfg.Poll = time.Hour })
				eventually(t, "a relay at rest", func() error { return outbox.AtRest(r) })
				writer, committed := wake(p.box, p.outbox(outbox.Config{}), r)
				p.box = writer
				p.enqueue(user("1"))
				committed()
				select {
				case <-arrived:
				case <-time.After(20 * time.Second):
					t.Fatal("nothing woke the relay")
				}
			})
		})
	}
}
