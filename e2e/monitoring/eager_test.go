//go:build long

package monitoring_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

// eagerHub starts a hub in this process that trims at once. The binary keeps events for
// five minutes at least, and detaches no lane before: no test can wait for that.
func (w *world) eagerHub(id string, ingestMaxBytes int64) {
	w.t.Helper()
	nc := w.nats.Connect()
	js, err := jetstream.New(nc)
	w.must(err)
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: log})
	w.must(err)
	h, err := hub.New(hub.Config{
		Conn: nc, Registry: registry, RegistryKind: "kv", ID: id, Logger: log, IngestMaxBytes: ingestMaxBytes, History: 1, TrimGuard: 1, TrimEvery: 50_000_000,
	})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	server := httptest.NewServer(h.Handler())
	w.t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("hub: %v", err)
		}
	})
	select {
	case <-h.Ready():
	case err := <-done:
		done <- nil
		w.t.Fatal(err)
	}
	w.targets = append(w.targets, target{server.URL, fmt.Sprintf(`job="replhub",instance=%q`, id)})
}
