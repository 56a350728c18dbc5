package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
)

// readAll reads n events from the beginning, and names those with a payload by their
// sequence.
func readAll(t *testing.T, g *ingest.Ingest, n int) string {
	t.Helper()
	from, err := g.MarkBefore(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.CatchUp(t.Context(), from, ingest.Mark{}, ingest.Portion{Pull: 1 << 20, Block: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	for next := uint64(1); next <= uint64(n); {
		b, err := c.Next(t.Context(), 5*time.Second)
		if err != nil || len(b.Events) == 0 {
			t.Fatalf("at %d: %v", next, err)
		}
		for _, e := range b.Events {
			if e.Pos.Seq != next || e.Time.IsZero() {
				t.Fatalf("%s stored at %s, want %d", e.Pos, e.Time, next)
			}
			if next++; len(e.Data) > 0 {
				got = append(got, fmt.Sprint(e.Pos.Seq))
			}
		}
	}
	return strings.Join(got, " ")
}

// Readers pass over erased events: while ingest still holds them, when they are deleted,
// and without having heard of them before.
func TestReadersPassOverErasedEvents(t *testing.T) {
	g, js := open(t, 10)
	other, err := ingest.Open(t.Context(), ingest.Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var marks []ingest.Mark
	for _, seq := range []uint64{3, 4, 7} {
		m, err := g.MarkBefore(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, m)
	}
	if refused, err := g.Erase(t.Context(), marks[:2], nil); err != nil || refused > 0 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	const want = "1 2 5 6 7 8 9 10"
	if got := readAll(t, g, 10); got != want {
		t.Errorf("deleted: %s, want %s", got, want)
	}
	if got := readAll(t, other, 10); got != want {
		t.Errorf("not heard of: %s, want %s", got, want)
	}
	s, err := js.Stream(t.Context(), contract.StreamIngest)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.DenyDelete = true
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if refused, err := g.Erase(t.Context(), marks[2:], nil); err != nil || refused != 1 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	if got := readAll(t, g, 10); got != "1 2 5 6 8 9 10" {
		t.Errorf("still there: %s", got)
	}
}

// Event 7 was erased, and lost in a rollback of ingest: the present event 7 is another one,
// stored later. Readers get it, behind the break.
func TestSequenceOfAnErasedEventIsUsedAgain(t *testing.T) {
	for name, read := range map[string]func(*testing.T, *ingest.Ingest, ingest.Mark) []*event.Event{"catch-up": caughtUp, "tail": tailed} {
		t.Run(name, func(t *testing.T) {
			opened, js := open(t, 10)
			before, err := opened.MarkBefore(t.Context(), 8)
			if err != nil {
				t.Fatal(err)
			}
			before.Time = before.Time.Add(-time.Nanosecond)
			g := withMark(t, js, before)
			from, err := g.MarkBefore(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range read(t, g, from) {
				if len(e.Data) > 0 {
					got = append(got, e.Pos.String())
				}
			}
			if got := strings.Join(got, " "); got != "1-1 1-2 1-3 1-4 1-5 1-6 2-7 2-8 2-9 2-10" {
				t.Errorf("got %s", got)
			}
			if _, err := g.Event(t.Context(), 7); err != nil {
				t.Error(err)
			}
		})
	}
}

// The ledger loses its last writes within an epoch, and another hub erases: this hub hears
// of it, and both have the marks that were lost.
func TestErasureInALedgerThatLostWrites(t *testing.T) {
	g, js := open(t, 10)
	other, err := ingest.Open(t.Context(), ingest.Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	older := document(t, js)
	pinned(t, g, "s/1", 5)
	erase := func(g *ingest.Ingest, seq uint64) {
		t.Helper()
		m, err := g.MarkBefore(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Erase(t.Context(), []ingest.Mark{m}, nil); err != nil {
			t.Fatal(err)
		}
	}
	erase(g, 3)
	if _, err := js.Publish(t.Context(), ingest.LedgerSubject, older); err != nil {
		t.Fatal(err)
	}
	erase(other, 7)
	before := g.Erasures()
	for _, hub := range []*ingest.Ingest{g, other} {
		if _, err := hub.Resume(t.Context(), ingest.Mark{Position: hub.PositionOf(1)}); err != nil {
			t.Fatal(err)
		}
		for _, seq := range []uint64{3, 7} {
			if !hub.ErasedAt(hub.PositionOf(seq)) {
				t.Errorf("that event %d was erased is not known", seq)
			}
		}
	}
	if g.Erasures() == before {
		t.Error("lanes do not notice")
	}
	if got := readAll(t, g, 10); got != "1 2 4 5 6 8 9 10" {
		t.Errorf("got %s", got)
	}
}

// document is the ledger as it is stored.
func document(t *testing.T, js jetstream.JetStream) []byte {
	t.Helper()
	s, err := js.Stream(t.Context(), contract.StreamLedger)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.GetLastMsgForSubject(t.Context(), ingest.LedgerSubject)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Data
}

// withMark opens an ingest whose ledger has the mark of an erased event.
func withMark(t *testing.T, js jetstream.JetStream, m ingest.Mark) *ingest.Ingest {
	t.Helper()
	l, err := retention.Decode(document(t, js))
	if err != nil {
		t.Fatal(err)
	}
	l.Erased, l.Erasures = retention.Erased{m}, 1
	data, err := retention.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), ingest.LedgerSubject, data); err != nil {
		t.Fatal(err)
	}
	g, err := ingest.Open(t.Context(), ingest.Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// caughtUp reads up to event 10, and resumes after each error.
func caughtUp(t *testing.T, g *ingest.Ingest, at ingest.Mark) (events []*event.Event) {
	t.Helper()
	for range 5 {
		c, err := g.CatchUp(t.Context(), at, ingest.Mark{}, ingest.Portion{Pull: 1 << 20, Block: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			var b ingest.Block
			b, err = c.Next(t.Context(), 5*time.Second)
			if events = append(events, b.Events...); c.At().Seq == 10 {
				c.Close()
				return events
			}
		}
		t.Log(err)
		c.Close()
		if at, err = g.Resume(t.Context(), c.At()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("it does not come to the end")
	return nil
}

// tailed has the tail read up to event 10, and returns what is in its window.
func tailed(t *testing.T, g *ingest.Ingest, at ingest.Mark) (events []*event.Event) {
	t.Helper()
	tail := g.NewTail(at)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- tail.Run(ctx) }()
	defer func() {
		cancel()
		<-ran
	}()
	took := make(follower, 1)
	defer tail.Follow(took)()
	lane := at
	for lane.Seq < 10 {
		if b, ok := tail.After(tail.Join(), lane.Position); ok && len(b.Events) > 0 {
			events = append(events, b.Events...)
			lane = ingest.MarkOf(b.Events[len(b.Events)-1])
			continue
		}
		select {
		case <-took:
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing behind %s", lane)
		}
		var err error
		if lane, err = g.Resume(t.Context(), lane); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

// follower is told of a tail's events.
type follower chan struct{}

func (f follower) Follow(*event.Event) bool {
	select {
	case f <- struct{}{}:
	default:
	}
	return false
}

// A capture that starts after an erasure knows that the erased change was stored, and does
// not publish it again.
func TestErasedChangeStaysStoredForItsCapture(t *testing.T) {
	g, js := open(t, 1)
	log, err := captured.Open(t.Context(), captured.Config{JS: js, Entity: captured.Entity("a")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write(t.Context(), captured.Record{ID: "1", System: "7"}.WithEntity("user"), 0); err != nil {
		t.Fatal(err)
	}
	want := captured.Position{Commit: 9, Change: 8}
	m := nats.NewMsg("db.user.update")
	m.Header.Set(contract.HeaderCaptured, captured.Mark(log.Entity(), want))
	ack, err := js.PublishMsg(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := g.MarkBefore(t.Context(), ack.Sequence+1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, the record stands behind the event already
		if _, err := g.Erase(t.Context(), []ingest.Mark{mark}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, stored, err := log.Claim(t.Context()); err != nil || stored != want {
		t.Errorf("stored up to %+v, want %+v (%v)", stored, want, err)
	}
	b, err := g.Bounds(t.Context())
	if err != nil || b.Last != ack.Sequence+3 {
		t.Errorf("ingest ends at %d, %v: want two records behind %d, and that of the start", b.Last, err, ack.Sequence)
	}
}
