package ingest_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
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
