package replhub_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
)

const (
	slowKeyRate   = 1000 // events a second
	slowKeyEvents = 4 * slowKeyRate
	slowKeyKeys   = 200
	slowKeyFails  = 10 // attempts, of one event
)

// BenchmarkSlowKey sets the delay of events, from publishing to the handler,
// while an event of another key fails ten times beside the delay while none
// does. An op is four seconds of each.
func BenchmarkSlowKey(b *testing.B) {
	for _, queue := range []replhub.Queue{{Order: replhub.OrderNone}, {Order: replhub.OrderKey, Partitions: 16}} {
		b.Run("order="+string(queue.Order), func(b *testing.B) {
			var with, without []float64
			for b.Loop() {
				without = append(without, slowKeyRound(b, queue, 0).Seconds()*1000)
				with = append(with, slowKeyRound(b, queue, slowKeyFails).Seconds()*1000)
			}
			slices.Sort(with)
			slices.Sort(without)
			a, c := with[len(with)/2], without[len(without)/2]
			b.ReportMetric(a, "p99-ms-with")
			b.ReportMetric(c, "p99-ms-without")
			b.ReportMetric(a/c, "with/without")
		})
	}
}

// slowKeyRound returns the 99th percentile of the delays of all keys but the
// first, whose first event fails so often.
func slowKeyRound(b *testing.B, queue replhub.Queue, fails int) time.Duration {
	b.Helper()
	url := benchmarkHub(b)
	client, err := replhub.Connect(b.Context(), replhub.Config{URL: url, Service: "sharing", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()

	base := time.Now()
	var mu sync.Mutex // guards delays
	delays := make([]time.Duration, 0, slowKeyEvents)
	var handled, attempts atomic.Int64
	all := make(chan struct{})
	ctx, cancel := context.WithCancel(b.Context())
	sub, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: queue},
		// Its attempts are over with the publishing.
		MaxAttempts: fails + 1, MinBackoff: 50 * time.Millisecond, MaxBackoff: 400 * time.Millisecond,
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		delay := time.Since(base) - time.Duration(binary.BigEndian.Uint64(d.Data))
		if d.Key == "0" {
			if attempts.Add(1) <= int64(fails) {
				return errors.New("not yet")
			}
		} else {
			mu.Lock()
			delays = append(delays, delay)
			mu.Unlock()
		}
		if handled.Add(1) == slowKeyEvents {
			close(all)
		}
		return nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- sub.Run(ctx) }()
	<-sub.Ready()
	publishSlowly(b, nc, base)
	<-all
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	slices.Sort(delays)
	return delays[len(delays)*99/100]
}

// publishSlowly publishes at slowKeyRate; each event says when.
func publishSlowly(b *testing.B, nc *nats.Conn, base time.Time) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for sent := 0; sent < slowKeyEvents; {
		<-tick.C
		for due := min(int(time.Since(began).Seconds()*slowKeyRate), slowKeyEvents); sent < due; sent++ {
			m := nats.NewMsg("db.user.update")
			m.Data = binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(time.Since(base)))
			m.Header.Set("Replhub-Key", strconv.Itoa(sent%slowKeyKeys))
			if err := nc.PublishMsg(m); err != nil {
				b.Fatal(err)
			}
		}
	}
}
