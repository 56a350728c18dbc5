package ingest_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
)

// A hub whose clock is ahead must not end the pins of others, nor one whose clock
// is behind set one that has run out.
func TestPinsGoByTheServersClock(t *testing.T) {
	g, js := open(t, 10)
	for name, wrong := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			other, err := ingest.Open(t.Context(), ingest.Config{
				JS: js, MaxBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler),
				Now: func() time.Time { return time.Now().Add(wrong) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if off := time.Until(other.Now()).Abs(); off > 10*time.Minute {
				t.Errorf("it is %s off", off)
			}
			hubs := []*ingest.Ingest{g, other}
			for i, pins := range hubs {
				changes := hubs[1-i]
				a, b := pinned(t, pins, "a", 1), pinned(t, changes, "b", 2)
				for id, anchor := range map[string]*ingest.Anchor{"a": a, "b": b} {
					if held, err := anchor.Release(t.Context()); err != nil || !held {
						t.Errorf("pin %s held %v, %v", id, held, err)
					}
				}
			}
		})
	}
}
