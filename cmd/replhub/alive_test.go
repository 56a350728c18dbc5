package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The hub's connection is given up when its network loses every packet.
func TestHubNoticesASilentNetwork(t *testing.T) {
	o := nats.GetDefaultOptions()
	for _, set := range new(hubLink).options("h1", slog.New(slog.DiscardHandler)) {
		if err := set(&o); err != nil {
			t.Fatal(err)
		}
	}
	if within := o.PingInterval * time.Duration(o.MaxPingsOut+1); within > time.Minute {
		t.Errorf("given up after %s", within)
	}
}
