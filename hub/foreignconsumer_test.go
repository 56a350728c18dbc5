package hub_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
)

// A hub that finished a rewind late has left a consumer of that rewind, or one of an earlier
// lane of the name. The consumer is created again where the last rewind begins, and the
// lane can be trimmed.
func TestConsumerOfAnotherRewind(t *testing.T) {
	t.Parallel()
	const generationKey = "replhub_generation"
	for name, foreign := range map[string]func(of string) string{
		"of an earlier rewind": func(of string) string { return of[:len(of)-3] + "old" },
		"of an earlier lane":   func(of string) string { return "earlier" + of },
		"created by hand":      func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startHub(func(c *hub.Config) {
				eager(c)
				soonStuck(c)
			})
			w.register("s", `{"entities":["user"]}`)
			w.users(0, 10)
			w.consume("s", "workers", 4)
			if err := w.call("replhub.rewind.s", `{"to":1}`, nil); err != nil {
				t.Fatal(err)
			}
			before := w.awaitConsumer("s", "workers")
			cfg := before.Config
			cfg.Metadata = maps.Clone(cfg.Metadata)
			cfg.Metadata[generationKey] = foreign(cfg.Metadata[generationKey])
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverNewPolicy, 0
			if err := w.js.DeleteConsumer(t.Context(), "SUB_s", "workers"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.js.CreateConsumer(t.Context(), "SUB_s", cfg); err != nil && !errors.Is(err, jetstream.ErrConsumerExists) {
				t.Fatal(err)
			}
			w.eventually("the consumer of the last rewind", func() error {
				now := w.awaitConsumer("s", "workers").Config
				if now.Metadata[generationKey] != before.Config.Metadata[generationKey] || now.OptStartSeq != before.Config.OptStartSeq {
					return fmt.Errorf("%+v", now)
				}
				return nil
			})
			if got := seqsOf(w.consume("s", "workers", 10)); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
				t.Errorf("after the rewind to 1 comes %v", got)
			}
			w.eventually("a trim of the lane", func() error {
				if first := w.stream("SUB_s").CachedInfo().State.FirstSeq; first < 10 {
					return fmt.Errorf("it begins at %d", first)
				}
				return nil
			})
		})
	}
}
