package replhub_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/testenv/hubstreams"
)

// benchmark is a server with ingest.
func benchmark(b *testing.B) (*nats.Conn, jetstream.JetStream) {
	b.Helper()
	server, err := embedded.Start(b.Context(), embedded.Config{Port: embedded.FreePort, StoreDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
	if err != nil {
		b.Fatal(err)
	}
	if err := hubstreams.Create(b.Context(), nc); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(js.CleanupPublisher)
	return nc, js
}

func benchmarkClient(b *testing.B) *replhub.Client {
	b.Helper()
	nc, _ := benchmark(b)
	c, err := replhub.Connect(b.Context(), replhub.Config{Conn: nc})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

var benchmarkData = make([]byte, 256)

func benchmarkEvent(i, keys int) replhub.Event {
	return replhub.Event{Entity: "user", Op: replhub.Update, Key: fmt.Sprint("k", i%keys), Data: benchmarkData}
}

func BenchmarkPublish(b *testing.B) {
	c := benchmarkClient(b)
	for i := 0; b.Loop(); i++ {
		if _, err := c.Publish(b.Context(), benchmarkEvent(i, 1000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBarePublish(b *testing.B) {
	_, js := benchmark(b)
	for i := 0; b.Loop(); i++ {
		if _, err := js.PublishMsg(b.Context(), bareMessage(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishBatch(b *testing.B) {
	for _, keys := range []int{1, 30, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			c := benchmarkClient(b)
			b.ResetTimer()
			for n := 0; n < b.N; {
				batch := make([]replhub.Event, 0, 1000)
				for ; n < b.N && len(batch) < cap(batch); n++ {
					batch = append(batch, benchmarkEvent(n, keys))
				}
				if _, err := c.PublishBatch(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBarePublishAsync is what PublishBatch is measured against.
func BenchmarkBarePublishAsync(b *testing.B) {
	_, js := benchmark(b)
	b.ResetTimer()
	for n := 0; n < b.N; {
		var batch []jetstream.PubAckFuture
		for ; n < b.N && len(batch) < 1000; n++ {
			f, err := js.PublishMsgAsync(bareMessage(n), jetstream.WithStallWait(1e10))
			if err != nil {
				b.Fatal(err)
			}
			batch = append(batch, f)
		}
		for _, f := range batch {
			select {
			case <-f.Ok():
			case err := <-f.Err():
				b.Fatal(err)
			}
		}
	}
}

func bareMessage(i int) *nats.Msg {
	return &nats.Msg{
		Subject: "db.user.update", Data: benchmarkData,
		Header: nats.Header{"Replhub-Key": {fmt.Sprint("k", i%1000)}, "Nats-Msg-Id": {nats.NewInbox()}},
	}
}
