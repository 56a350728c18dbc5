package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// The last copy that a full lane delivered ran out of deliveries. The server's ack
// floor stays before it until another copy is acknowledged, and no other comes into
// a full lane: the lane goes on by itself.
func TestFullLaneGoesOnBehindADeadLetter(t *testing.T) {
	t.Parallel() // the lane waits ten seconds before it believes a consumer that stands still
	for _, attempts := range []int{1, 2} {
		t.Run(fmt.Sprintf("max_deliver %d", attempts), func(t *testing.T) {
			t.Parallel()
			fullBehindADeadLetter(t, attempts)
		})
	}
}

func fullBehindADeadLetter(t *testing.T, attempts int) {
	w := newWorld(t)
	w.startHub()
	w.register("s", fmt.Sprintf(`{"entities":["user"],"max_bytes":65536,"queue":{"max_deliver":%d,"ack_wait":"1s"}}`, attempts))
	pad := strings.Repeat("x", 8000)
	const events = 20
	for i := range events {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d","x":"%s"}`, i, pad))
	}
	w.awaitState("s", contract.LaneStalled)
	worker, err := w.js.Consumer(t.Context(), "SUB_s", contract.ConsumerWorkers)
	if err != nil {
		t.Fatal(err)
	}
	var poison jetstream.Msg
	got := make(map[string]bool)
	take := func() error {
		batch, err := worker.Fetch(events, jetstream.FetchMaxWait(300*time.Millisecond))
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			seq := sequence(m.Headers())
			if seq == "1" {
				poison = m
				continue
			}
			got[seq] = true
			if err := m.DoubleAck(t.Context()); err != nil {
				return err
			}
		}
		if poison != nil {
			// The others are acknowledged: it is the last to be settled.
			err, poison = poison.Nak(), nil
		}
		return err
	}
	w.eventually("the reason of the stall to be the ack floor", func() error {
		if err := take(); err != nil {
			return err
		}
		status, err := w.describe("s")
		if err != nil || !strings.Contains(status.Reason, "its ack floor is behind") {
			return fmt.Errorf("%s %q, %w", status.State, status.Reason, err)
		}
		return nil
	})
	w.eventually("every event but the poisonous one to come", func() error {
		if err := take(); err != nil {
			return err
		}
		if len(got) < events-1 {
			return fmt.Errorf("%d of %d", len(got), events-1)
		}
		return nil
	})
}
