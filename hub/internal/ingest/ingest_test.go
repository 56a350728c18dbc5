package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts a server with an ingest stream of n events.
func open(t *testing.T, n int) (*ingest.Ingest, jetstream.JetStream) {
	t.Helper()
	js := natstest.Start(t).JetStream()
	g, err := ingest.Open(t.Context(), ingest.Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := js.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	return g, js
}

func TestPinHoldsTheFloor(t *testing.T) {
	g, _ := open(t, 100)
	ctx := t.Context()
	if got, err := g.Pin(ctx, "a", 40); err != nil || got != 40 {
		t.Fatalf("pinned at %d, %v; want 40", got, err)
	}
	// One registration may pin several times; the lowest counts.
	if _, err := g.Pin(ctx, "a", 60); err != nil {
		t.Fatal(err)
	}
	floor, purged, err := g.Trim(ctx, 80, time.Now().Add(time.Hour), pinnings(t, g))
	if err != nil || floor != 40 || purged != 39 {
		t.Fatalf("trimmed to %d, %d purged, %v; want 40, 39", floor, purged, err)
	}
	if got, err := g.Pin(ctx, "b", 10); err != nil || got != 40 {
		t.Errorf("a pin below the floor is at %d, %v; want 40", got, err)
	}
	for _, id := range []string{"a", "b"} {
		if held, err := g.Unpin(ctx, id); err != nil || !held {
			t.Fatalf("pin %s held %v, %v", id, held, err)
		}
	}
	if floor, _, err := g.Trim(ctx, 80, time.Now().Add(time.Hour), pinnings(t, g)); err != nil || floor != 80 {
		t.Errorf("trimmed to %d, %v; want 80", floor, err)
	}
	// The last event stays, and young ones do.
	if floor, _, err := g.Trim(ctx, 1000, time.Now().Add(time.Hour), pinnings(t, g)); err != nil || floor != 100 {
		t.Errorf("trimmed to %d, %v; want 100", floor, err)
	}
}

func TestTrimKeepsYoungEvents(t *testing.T) {
	g, _ := open(t, 100)
	if _, purged, err := g.Trim(t.Context(), 80, time.Now().Add(-time.Hour), pinnings(t, g)); err != nil || purged != 0 {
		t.Errorf("%d young events purged, %v", purged, err)
	}
}

func TestReaderNoticesAClampedStart(t *testing.T) {
	g, js := open(t, 100)
	s, err := js.Stream(t.Context(), "DB")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(50)); err != nil {
		t.Fatal(err)
	}
	// The server starts a reader of event 11 at event 50, in silence.
	c, err := g.CatchUp(t.Context(), ingest.Mark{Position: event.Position{Epoch: 1, Seq: 10}}, ingest.Portion{Pull: 1 << 20, Block: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := c.Next(t.Context(), 5*time.Second); err == nil {
		t.Errorf("read %d events across the gap", len(b.Events))
	}
	if _, err := g.Resume(t.Context(), ingest.Mark{Position: event.Position{Epoch: 1, Seq: 10}}); !errors.Is(err, ingest.ErrTrimmed) {
		t.Errorf("resuming across the gap: %v", err)
	}
}

func TestSeqAt(t *testing.T) {
	g, js := open(t, 50)
	s, err := js.Stream(t.Context(), "DB")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   time.Time
		want uint64
	}{
		{m.Time, 20},
		{m.Time.Add(time.Nanosecond), 21},
		{time.Unix(0, 0), 1},
		{time.Now().Add(time.Hour), 51},
	} {
		if got, err := g.SeqAt(context.Background(), tt.at); err != nil || got != tt.want {
			t.Errorf("at %s: %d, %v; want %d", tt.at, got, err, tt.want)
		}
	}
}

func pinnings(t *testing.T, g *ingest.Ingest) uint64 {
	t.Helper()
	n, err := g.Pinnings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The server moves a deleted stream's folder away after it has begun to answer
// that the stream is not there: ingest made anew at once would go with it.
func TestIngestMadeAnewOutlivesTheDeletion(t *testing.T) {
	g, js := open(t, 1)
	for n := range 1000 { // which the server deletes in between
		_, err := js.CreateConsumer(t.Context(), "DB", jetstream.ConsumerConfig{Durable: fmt.Sprintf("c%d", n), AckPolicy: jetstream.AckExplicitPolicy})
		if err != nil {
			t.Fatal(err)
		}
	}
	deleted := make(chan error, 1)
	go func() { deleted <- js.DeleteStream(t.Context(), "DB") }()
	for begun := time.Now(); ; {
		b, err := g.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Last == 0 {
			break // made anew
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it is still there")
		}
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	<-time.After(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := js.Publish(ctx, "db.user.update", []byte(`{"id":"1"}`)); err != nil {
		t.Errorf("the new stream went with the old: %v", err)
	}
}
