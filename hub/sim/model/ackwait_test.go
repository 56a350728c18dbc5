package model_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// What workers keep for too long comes again in the order of the stream, as often as
// the consumer's limit allows, on the model's clock as on the server's.
func TestAckWaitIsTheServers(t *testing.T) {
	t.Parallel()
	const wait, most, messages = 700 * time.Millisecond, 3, 5
	type delivery struct{ Seq, ConsumerSeq, Delivered uint64 }
	random := rand.New(rand.NewPCG(1, 0))
	js := natstest.Start(t).JetStream()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1, 0)
	own := model.NewStream(model.StreamConfig{Name: "S"}, now)
	for i := range messages {
		if _, err := js.Publish(t.Context(), "s.a", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := own.Publish(model.Publish{Subject: "s.a", Data: fmt.Sprint(i)}, now); err != nil {
			t.Fatal(err)
		}
	}
	actual, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait, MaxDeliver: most})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := own.CreateConsumer(model.ConsumerConfig{Name: "c", AckWait: wait, MaxDeliver: most}, now)
	if err != nil {
		t.Fatal(err)
	}
	for round := range most {
		for {
			d, ok := consumer.Next(now)
			if !ok {
				break
			}
			batch, err := actual.Fetch(1, jetstream.FetchMaxWait(5*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			m := <-batch.Messages()
			if m == nil {
				t.Fatalf("round %d: the server delivers nothing, the model %d", round, d.Seq)
			}
			meta, err := m.Metadata()
			if err != nil {
				t.Fatal(err)
			}
			have := delivery{meta.Sequence.Stream, meta.Sequence.Consumer, meta.NumDelivered}
			if diff := cmp.Diff(have, delivery{d.Seq, d.ConsumerSeq, d.Delivered}); diff != "" {
				t.Fatalf("round %d: the server (-) and the model (+): %s", round, diff)
			}
			if random.IntN(4) == 0 {
				if err := m.DoubleAck(t.Context()); err != nil {
					t.Fatal(err)
				}
				consumer.Ack(d.Seq)
			}
		}
		now = now.Add(wait)
		consumer.Expire(now)
	}
}
