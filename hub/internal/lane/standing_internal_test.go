package lane

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

func TestStanding(t *testing.T) {
	began := time.Unix(1000, 0)
	created := time.Unix(500, 0)
	type answer struct {
		after               time.Duration // since began
		delivered, ackFloor uint64
		held                int
		created             time.Time
		start               uint64
	}
	const still = standsAfter
	for name, c := range map[string]struct {
		answers []answer
		want    uint64
	}{
		"one look":                             {[]answer{{0, 9, 4, 0, created, 0}}, 4},
		"still for long":                       {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 4, 0, created, 0}}, 9},
		"not long enough":                      {[]answer{{0, 9, 4, 0, created, 0}, {still - 1, 9, 4, 0, created, 0}}, 4},
		"many looks, not long enough":          {[]answer{{0, 9, 4, 0, created, 0}, {still / 3, 9, 4, 0, created, 0}, {still / 2, 9, 4, 0, created, 0}}, 4},
		"a worker holds a copy":                {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 4, 1, created, 0}}, 4},
		"a worker held a copy in between":      {[]answer{{0, 9, 4, 0, created, 0}, {still / 2, 9, 4, 1, created, 0}, {still, 9, 4, 0, created, 0}}, 4},
		"a worker held the copy for long":      {[]answer{{0, 9, 4, 1, created, 0}, {2 * still, 9, 4, 0, created, 0}}, 4},
		"another copy was delivered":           {[]answer{{0, 9, 4, 0, created, 0}, {still, 10, 4, 0, created, 0}}, 4},
		"the floor moved":                      {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 5, 0, created, 0}}, 5},
		"fell back with the stream":            {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 4, 0, created, 0}, {still + 1, 7, 4, 0, created, 0}}, 4},
		"another consumer of that name":        {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 4, 0, created.Add(1), 0}}, 4},
		"starts in the middle":                 {[]answer{{0, 0, 0, 0, created, 6}}, 5},
		"starts in the middle, busy":           {[]answer{{0, 7, 0, 2, created, 6}}, 5},
		"acknowledged behind its start":        {[]answer{{0, 9, 8, 1, created, 6}}, 8},
		"what was proven is not kept for good": {[]answer{{0, 9, 4, 0, created, 0}, {still, 9, 4, 0, created, 0}, {still + 1, 12, 4, 2, created, 0}}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			var s standings
			var floor uint64
			for _, a := range c.answers {
				info := &jetstream.ConsumerInfo{Created: a.created, NumAckPending: a.held, Config: jetstream.ConsumerConfig{OptStartSeq: a.start}}
				// The server's times of the last delivery differ from answer to answer.
				at := began.Add(a.after)
				info.Delivered = jetstream.SequenceInfo{Stream: a.delivered, Consumer: a.delivered, Last: &at}
				info.AckFloor = jetstream.SequenceInfo{Stream: a.ackFloor, Consumer: a.ackFloor, Last: &at}
				floor = s.look(map[string]*jetstream.ConsumerInfo{"workers": info}, at)["workers"]
			}
			if floor != c.want {
				t.Errorf("floor %d, want %d", floor, c.want)
			}
		})
	}
}

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
		batch, err := worker.Fetch(3, jetstream.FetchMaxWait(200*time.Millisecond))
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
	}{{now, info.AckFloor.Stream}, {now.Add(standsAfter), last}} {
		floor, err := lowestFloor(ctx, stream, last, consumers, s.look(consumers, c.at))
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
	s.look(consumers, now)
	if behind := s.behind(); behind != "" {
		t.Errorf("%s is said to be behind beside one that has work", behind)
	}
}

// untilNothingHeld lets a worker work until no copy is pending with it.
func untilNothingHeld(ctx context.Context, t *testing.T, worker jetstream.Consumer, work func()) *jetstream.ConsumerInfo {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
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
