package lane

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// An open append of large events ends before the server's queue would be full,
// and all of it is stored. The server acknowledges by numbers of messages: it
// would not say that one of these is stored before there are 500.
func TestLargeBatchEnds(t *testing.T) {
	js := natstest.Start(t).JetStream()
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), StreamConfig(service, 1, true))
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAppender(js, Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l := &Lane{
		env:    NewEnv(Env{JS: js, Appender: a}),
		stream: "SUB_s", wake: make(chan struct{}, 1), log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const puts, size = 24, 900_000
	for range puts {
		block := make([]Message, 2)
		for i := range block {
			block[i] = Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(make(map[string][]string)), Data: make([]byte, size)}
		}
		if _, err := l.put(ctx, block, false); err != nil {
			t.Fatal(err)
		}
		l.tip.Last += uint64(len(block))
		if l.batch != nil && l.batch.bytes > maxBatchBytes+2*size {
			t.Fatalf("%d bytes are on their way", l.batch.bytes)
		}
	}
	if err := l.settle(ctx); err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 2*puts {
		t.Errorf("the lane holds %d, %v; want %d", info.State.Msgs, err, 2*puts)
	}
}
