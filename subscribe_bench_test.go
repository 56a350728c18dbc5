package replhub_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

// The benchmarks handle the same copies, 256 bytes each on 1000 keys,
// with a handler that does nothing. To compare them, run them in one go:
//
//	go test -run xxx -bench 'Bare|Handler' -benchtime 150000x -count 5 .

// BenchmarkBarePull is the baseline: a pull consumer of nats.go's.
func BenchmarkBarePull(b *testing.B) {
	benchmarkBare(b, replhub.Queue{Order: replhub.OrderNone}, "workers")
}

// BenchmarkBarePartitions is what the server gives to a consumer on each
// partition.
func BenchmarkBarePartitions(b *testing.B) {
	for _, n := range benchmarkedPartitions() {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			names := make([]string, n)
			for p := range names {
				names[p] = "workers-" + strconv.Itoa(p)
			}
			benchmarkBare(b, replhub.Queue{Order: replhub.OrderKey, Partitions: n}, names...)
		})
	}
}

func benchmarkBare(b *testing.B, queue replhub.Queue, consumers ...string) {
	js, err := jetstream.New(lane(b, queue))
	if err != nil {
		b.Fatal(err)
	}
	var opts []jetstream.PullConsumeOpt
	if queue.Order == replhub.OrderKey {
		opts = append(opts, jetstream.PullPriorityGroup("replhub"))
	}
	var handled atomic.Int64
	all := make(chan struct{})
	b.ResetTimer()
	for _, name := range consumers {
		c, err := js.Consumer(b.Context(), "SUB_sharing", name)
		if err != nil {
			b.Fatal(err)
		}
		consume, err := c.Consume(func(m jetstream.Msg) {
			if err := m.Ack(); err != nil {
				b.Error(err)
			}
			if handled.Add(1) == int64(b.N) {
				close(all)
			}
		}, opts...)
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			consume.Stop()
			<-consume.Closed()
		}()
	}
	<-all
	report(b)
}

func BenchmarkHandlerUnordered(b *testing.B) {
	benchmarkHandler(b, replhub.Queue{Order: replhub.OrderNone})
}

func BenchmarkHandlerByKey(b *testing.B) {
	for _, n := range benchmarkedPartitions() {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			benchmarkHandler(b, replhub.Queue{Order: replhub.OrderKey, Partitions: n})
		})
	}
}

func benchmarkedPartitions() []int { return []int{1, 4, 16} }

func benchmarkHandler(b *testing.B, queue replhub.Queue) {
	nc := lane(b, queue)
	client, err := replhub.Connect(b.Context(), replhub.Config{Conn: nc, Service: "sharing", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var handled atomic.Int64
	all := make(chan struct{})
	ctx, cancel := context.WithCancel(b.Context())
	b.ResetTimer()
	done := make(chan error, 1)
	go func() {
		done <- client.RunSubscriber(ctx, replhub.SubscriberConfig{}, replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
			if handled.Add(1) == int64(b.N) {
				close(all)
			}
			return nil
		}))
	}()
	<-all
	report(b)
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func report(b *testing.B) {
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// benchmarkHub starts a server and a hub and returns where.
func benchmarkHub(b *testing.B) (url string) {
	b.Helper()
	server, err := embedded.Start(context.Background(), embedded.Config{Port: embedded.FreePort, StoreDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	stop, err := startHub(server.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stop() })
	return server.ClientURL()
}

// lane fills the lane of the service "sharing" with b.N copies.
func lane(b *testing.B, queue replhub.Queue) *nats.Conn {
	b.Helper()
	nc, err := nats.Connect(benchmarkHub(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	client, err := replhub.Connect(b.Context(), replhub.Config{Conn: nc, Service: "sharing"})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Register(b.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: queue}); err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 256)
	for n := range b.N {
		m := nats.NewMsg("db.user.update")
		m.Data = data
		m.Header.Set("Replhub-Key", "k"+strconv.Itoa(n%1000))
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	awaitCopies(b, client)
	return nc
}

// awaitCopies waits until the hub has copied all.
func awaitCopies(b *testing.B, client *replhub.Client) {
	b.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := client.Describe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if status.Backlog == uint64(b.N) {
			return
		}
		<-tick.C
	}
}
