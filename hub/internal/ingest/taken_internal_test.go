package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/replhub/replhub/internal/testenv/natstest"
)

// A caller waits for a moment only. A message that came in it is not lost because the hub
// has to ask what stood before it.
func TestMessageOutlivesTheWaitForIt(t *testing.T) {
	js := natstest.Start(t).JetStream()
	cfg := Config{JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler)}
	g, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := js.Publish(t.Context(), "db.user.update", fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	deaf, err := Open(t.Context(), cfg) // does not hear of the erasure
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.MarkBefore(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if refused, err := g.Erase(t.Context(), []Mark{second}, nil); err != nil || refused > 0 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	first, err := g.MarkBefore(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	r, err := deaf.newReader(t.Context(), first, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.ask(); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := r.taken(over, <-r.msgs); e != nil || err != nil {
		t.Fatalf("%v, %v", e, err)
	}
	for want := uint64(2); want <= 3; want++ {
		if e := r.passOver(); e == nil || e.Pos.Seq != want {
			t.Errorf("%+v instead of event %d", e, want)
		}
	}
}
