package lane

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// looksAtFloor are enough for a floor that trusts the server's counts to be wrong:
// 0.2 to 1 % of the answers after an append still say that nothing is pending.
const looksAtFloor = 2500

// The server acknowledges an append before it counts the message as pending.
func TestFloorIsNotAheadOfAnUnacknowledgedCopy(t *testing.T) {
	js := natstest.Start(t).JetStream()
	ctx := t.Context()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "SUB_s", Subjects: []string{"sub.s.>"}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	marks := map[string]string{contract.MetadataKey: contract.MetadataValue}
	worker, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: contract.ConsumerWorkers, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "sub.s.*.*.*", Metadata: marks,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range looksAtFloor {
		ack, err := js.Publish(ctx, "sub.s.user.update.0", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		consumers, err := listConsumers(ctx, stream)
		if err != nil {
			t.Fatal(err)
		}
		floor, err := lowestFloor(ctx, stream, ack.Sequence, consumers, new(standings).look(consumers, time.Now(), time.Now()))
		if err != nil || floor >= ack.Sequence {
			t.Fatalf("floor %d, %v; copy %d is not acknowledged", floor, err, ack.Sequence)
		}
		batch, err := worker.Fetch(1, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.DoubleAck(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Partitions without work do not hold up the lane, and one with work does.
func TestFloorOfPartitions(t *testing.T) {
	js := natstest.Start(t).JetStream()
	ctx := t.Context()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "SUB_s", Subjects: []string{"sub.s.>"}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	marks := map[string]string{contract.MetadataKey: contract.MetadataValue}
	for name, filter := range map[string]string{"workers-0": "sub.s.*.*.0", "workers-1": "sub.s.*.*.1", "workers-2": "sub.s.*.*.2"} {
		_, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: filter, Metadata: marks,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(subject string) {
		t.Helper()
		if _, err := js.Publish(ctx, subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	take := func(consumer string, n int) {
		t.Helper()
		c, err := stream.Consumer(ctx, consumer)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := c.Fetch(n, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.DoubleAck(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(what string, want uint64) {
		t.Helper()
		info, err := stream.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		consumers, err := hubConsumers(ctx, js, stream)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := lowestFloor(ctx, stream, info.State.LastSeq, consumers, new(standings).look(consumers, time.Now(), time.Now())); err != nil || got != want {
			t.Errorf("%s: floor %d, %v; want %d", what, got, err, want)
		}
	}
	publish("sub.s._state") // 1
	check("only a state record", 1)
	publish("sub.s.user.update.0") // 2
	publish("sub.s.user.update.1") // 3
	publish("sub.s.user.update.0") // 4
	check("nothing acknowledged", 0)
	take("workers-0", 2)
	check("one partition has work", 0)
	take("workers-1", 1)
	publish("sub.s._state") // 5
	check("all acknowledged, one partition never had any", 5)
	publish("sub.s.user.update.1") // 6
	check("work again", 3)
}

// A consumer that was created to start in the middle has an ack floor of 0 until it
// has acknowledged something, and an older copy may match its filter.
func TestFloorOfAConsumerThatStartsInTheMiddle(t *testing.T) {
	js := natstest.Start(t).JetStream()
	ctx := t.Context()
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "SUB_s", Subjects: []string{"sub.s.>"}, Storage: jetstream.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() {
		t.Helper()
		if _, err := js.Publish(ctx, "sub.s.user.update.0", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	publish() // 1
	publish() // 2
	if _, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers-0", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "sub.s.*.*.0",
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: 3,
		Metadata: map[string]string{contract.MetadataKey: contract.MetadataValue},
	}); err != nil {
		t.Fatal(err)
	}
	check := func(last, want uint64) {
		t.Helper()
		consumers, err := hubConsumers(ctx, js, stream)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := lowestFloor(ctx, stream, last, consumers, new(standings).look(consumers, time.Now(), time.Now())); err != nil || got != want {
			t.Errorf("floor %d of %d, %v; want %d", got, last, err, want)
		}
	}
	check(2, 2)
	publish() // 3
	check(3, 2)
}
