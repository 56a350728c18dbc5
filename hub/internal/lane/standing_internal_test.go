package lane

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// A delivery that ran out leaves the server's ack floor behind it, until another
// copy is acknowledged. A lane that is full gets no other copy.
func TestFloorBehindExhaustedDeliveries(t *testing.T) {
	js := natstest.Start(t).JetStream()
	ctx := t.Context()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "SUB_s", Subjects: []string{"sub.s.>"}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: contract.ConsumerWorkers, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "sub.s.*.*.*",
		MaxDeliver: 2, Metadata: map[string]string{contract.MetadataKey: contract.MetadataValue},
	})
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	for range 3 {
		ack, err := js.Publish(ctx, "sub.s.user.update.0", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	take := func(m jetstream.Msg) error {
		if meta, err := m.Metadata(); err != nil || meta.Sequence.Stream == 1 {
			return m.Nak()
		}
		return m.DoubleAck(ctx)
	}
	fetch := func() {
		t.Helper()
		batch, err := worker.FetchNoWait(3) // a wait that ends as a copy is on its way loses the delivery
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := take(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	info := untilNothingHeld(ctx, t, worker, fetch)
	var s standings
	if behind := s.behind(); behind != "" {
		t.Errorf("%s is behind before the first look", behind)
	}
	consumers := map[string]*jetstream.ConsumerInfo{info.Name: info}
	now := time.Now()
	for _, c := range []struct {
		at   time.Time
		want uint64
	}{{now, info.AckFloor.Stream}, {now.Add(history.StandsAfter), last}} {
		floor, err := lowestFloor(ctx, stream, last, consumers, s.look(consumers, c.at, c.at))
		if err != nil || floor != c.want {
			t.Errorf("floor %d, %v after %v; want %d", floor, err, c.at.Sub(now), c.want)
		}
	}
	if behind := s.behind(); behind != contract.ConsumerWorkers {
		t.Errorf("%q is behind, want %q", behind, contract.ConsumerWorkers)
	}
	busy := *info
	busy.Name, busy.NumPending = "workers-1", 1
	consumers[busy.Name] = &busy
	s.look(consumers, now, now)
	if behind := s.behind(); behind != "" {
		t.Errorf("%s is said to be behind beside one that has work", behind)
	}
}

// untilNothingHeld lets a worker work until no copy is pending with it.
func untilNothingHeld(ctx context.Context, t *testing.T, worker jetstream.Consumer, work func()) *jetstream.ConsumerInfo {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		work()
		info, err := worker.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.NumAckPending == 0 && info.NumPending == 0 && info.Delivered.Stream > 0 {
			return info
		}
		if time.Now().After(deadline) {
			t.Fatalf("a worker still holds %d copies", info.NumAckPending)
		}
	}
}
