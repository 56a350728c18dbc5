package ownership_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/ownership"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// A hub whose process is gone is certain to answer nothing; one that is slow may
// answer yet. The record of a dead one lives on until its session ends.
func TestOnlyAHubThatListensAnswers(t *testing.T) {
	server := natstest.Start(t)
	connect := func() *nats.Conn {
		nc, err := nats.Connect(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	one := ownership.New(ownership.Config{Conn: connect(), ID: "one", Logger: slog.New(slog.DiscardHandler)})
	listening := connect()
	slow := ownership.New(ownership.Config{Conn: listening, ID: "slow", Logger: slog.New(slog.DiscardHandler)})
	asked := make(chan string, 1)
	if _, err := listening.Subscribe(slow.Subject(), func(m *nats.Msg) {
		verb, service := slow.Asked(m.Subject)
		asked <- verb + " " + service
	}); err != nil {
		t.Fatal(err)
	}
	if err := listening.Flush(); err != nil {
		t.Fatal(err)
	}
	if !one.Answers(t.Context(), "slow") {
		t.Error("a hub that is slow counts as gone")
	}
	if got := <-asked; got != "ping hub" {
		t.Errorf("asked %q", got)
	}
	if one.Answers(t.Context(), "ghost") {
		t.Error("a hub of which NATS knows nothing counts as there")
	}
	service, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	if !one.Owns(service) || one.Owner(service) != "one" || len(one.Others()) != 0 {
		t.Errorf("alone, it leaves the lane to %q", one.Owner(service))
	}
}

// What a hub began and did not finish is left to it for its time. What the process
// before this one began is given up as soon as nothing of it can be on its way.
func TestGivenUp(t *testing.T) {
	one := ownership.New(ownership.Config{ID: "one", Logger: slog.New(slog.DiscardHandler)})
	now := time.Now()
	for name, tt := range map[string]struct {
		began, started time.Duration // ago
		want           bool
	}{
		"just now":                          {time.Second, time.Hour, false},
		"by this process":                   {10 * time.Second, time.Hour, false},
		"by the process before":             {10 * time.Second, 5 * time.Second, true},
		"by the process before, just now":   {time.Second, 0, false},
		"longer ago than any request takes": {ownership.FinishTime + 1, time.Hour, true},
	} {
		if got := one.GivenUp(t.Context(), "one", now.Add(-tt.began), now.Add(-tt.started), now); got != tt.want {
			t.Errorf("begun %s: given up %v", name, got)
		}
	}
}
