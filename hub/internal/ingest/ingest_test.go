package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
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

// pinned pins ingest from a sequence on, as a registration does.
func pinned(t *testing.T, g *ingest.Ingest, id string, seq uint64) *ingest.Anchor {
	t.Helper()
	a := g.NewAnchor(id)
	if _, err := a.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := a.Begin(t.Context(), retention.Start{Seq: seq}); err != nil || b.At.Seq != seq {
		t.Fatalf("pinned at %v, %v; want %d", b, err, seq)
	}
	return a
}

// trim trims whatever is below the last event, for lanes that need nothing.
func trim(t *testing.T, g *ingest.Ingest) retention.Trimmed {
	t.Helper()
	done, err := g.Trim(t.Context(), retention.Policy{}, noLanes{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// The record of a capture that is away stays in ingest, with what was stored behind it.
func TestTrimKeepsTheRecordOfACapture(t *testing.T) {
	g, js := open(t, 20)
	log, err := captured.Open(t.Context(), captured.Config{JS: js, Entity: captured.Entity("a")})
	if err != nil {
		t.Fatal(err)
	}
	held, err := log.Write(t.Context(), captured.Record{ID: "1", System: "7", Confirm: 7}.WithEntity("user"), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := captured.Position{Commit: 9, Change: 8}
	m := nats.NewMsg("db.user.update")
	m.Header.Set(contract.HeaderCaptured, captured.Mark(log.Entity(), want))
	for range 2 { // the last event is never trimmed
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		m = nats.NewMsg("db.other.update")
	}
	trim(t, g)
	b, err := g.Bounds(t.Context())
	if err != nil || b.First <= held.Seq+1 {
		t.Fatalf("ingest begins at %d, %v: nothing was trimmed", b.First, err)
	}
	if now, stored, err := log.Claim(t.Context()); err != nil || stored != want || now.Record.Confirm != 7 {
		t.Errorf("stored up to %+v, want %+v, confirm %s (%v)", stored, want, now.Record.Confirm, err)
	}
}

// noLanes are lanes that need nothing.
type noLanes struct{}

func (noLanes) Need(context.Context) (retention.Need, error) { return retention.NewNeed(1000), nil }

func (noLanes) Fence(context.Context, []subjects.Name, bool) (map[subjects.Name]error, error) {
	return nil, nil
}

// Package retention decides; on a real server its steps do what they say.
func TestPinHoldsTheFloor(t *testing.T) {
	g, _ := open(t, 100)
	a := pinned(t, g, "a", 40)
	if done := trim(t, g); done.Floor != 40 || done.Purged != 39 {
		t.Fatalf("trimmed to %d, %d purged; want 40, 39", done.Floor, done.Purged)
	}
	if b, err := g.Bounds(t.Context()); err != nil || b.First != 40 {
		t.Errorf("ingest begins at %d, %v", b.First, err)
	}
	if held, err := a.Release(t.Context()); err != nil || !held {
		t.Fatalf("the pin held %v, %v", held, err)
	}
	if done := trim(t, g); done.Floor != 100 || done.Purged != 60 {
		t.Errorf("trimmed to %d, %d purged; want 100, the last event, and 60", done.Floor, done.Purged)
	}
}

// A hub that finds a ledger of a newer form does not start, one that runs does not trim,
// and the ledger stays as the newer hub wrote it.
func TestLedgerOfANewerHubIsNotTouched(t *testing.T) {
	g, js := open(t, 10)
	const newer = `{"v":3,"chapters":[]}`
	ack, err := js.Publish(t.Context(), "replhub._ledger", []byte(newer))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := g.Trim(t.Context(), retention.Policy{}, noLanes{}); !errors.Is(err, retention.ErrNewer) {
		t.Errorf("trimmed to %d, %v", done.Floor, err)
	}
	if _, err := g.NewAnchor("a").Begin(t.Context(), retention.Start{Seq: 5}); !errors.Is(err, retention.ErrNewer) {
		t.Errorf("pinned: %v", err)
	}
	if _, err := ingest.Open(t.Context(), ingest.Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, retention.ErrNewer) {
		t.Errorf("a hub starts: %v", err)
	}
	s, err := js.Stream(t.Context(), ack.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := s.GetLastMsgForSubject(t.Context(), "replhub._ledger"); err != nil || string(msg.Data) != newer {
		t.Errorf("the ledger is now %+v, %v", msg, err)
	}
	if b, err := g.Bounds(t.Context()); err != nil || b.First != 1 {
		t.Errorf("ingest begins at %d, %v", b.First, err)
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
	c, err := g.CatchUp(t.Context(), ingest.Mark{Position: event.Position{Epoch: 1, Seq: 10}}, ingest.Mark{}, ingest.Portion{Pull: 1 << 20, Block: 1 << 20})
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

// The server moves a deleted stream's folder away after it has begun to answer
// that the stream is not there: ingest created again at once would go with it.
func TestIngestMadeAnewOutlivesTheDeletion(t *testing.T) {
	g, js := open(t, 1)
	for n := range 300 { // which the server deletes in between
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
			break // created again
		}
		if time.Since(begun) > time.Minute {
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
