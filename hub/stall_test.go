package hub_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// logged keeps the lines of a log, for tests that count them.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

// text is all lines.
func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// count is how many lines have all of the parts.
func (l *logged) count(parts ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
lines:
	for _, line := range l.lines {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	return n
}

func (l *logged) into(c *hub.Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

// A full lane whose worker acknowledges one copy now and then copies one more each
// time: that is one stall, since when it began, and told once.
func TestOneStallIsOneEpisode(t *testing.T) {
	w := newWorld(t)
	var log logged
	w.startHub(log.into)
	w.register("s", `{"entities":["user"],"max_bytes":65536}`)
	pad := strings.Repeat("x", 8000)
	const events = 40
	for i := range events {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d","x":"%s"}`, i, pad))
	}
	w.awaitState("s", contract.LaneStalled)
	first, err := w.describe("s")
	if err != nil || first.Since == nil {
		t.Fatal(first, err)
	}
	seq := first.Seq
	for range 4 {
		w.consume("s", "workers", 2)
		w.eventually("the lane to have got on", func() error {
			status, err := w.describe("s")
			switch {
			case err != nil:
				return err
			case status.State != contract.LaneStalled || status.Since == nil || !status.Since.Equal(*first.Since):
				t.Fatalf("%s since %v: it was stalled since %s and still is", status.State, status.Since, first.Since)
			case status.Seq == seq:
				return fmt.Errorf("at %d", seq)
			}
			seq = status.Seq
			return nil
		})
	}
	if n := log.count("lane stalled"); n != 1 || log.count("lane continues") != 0 {
		t.Errorf("told of %d stalls and %d ends, want one stall", n, log.count("lane continues"))
	}
	w.consume("s", "workers", events-8)
	w.eventually("the end of the stall", func() error {
		if log.count("lane continues", "stalled_for=") != 1 {
			return errors.New(log.text())
		}
		return nil
	})
	w.awaitState("s", contract.LaneLive)
}

// JetStream is away for some seconds: no piece of work tells of it again and again.
func TestAnOutageIsToldOnce(t *testing.T) {
	w := newWorld(t)
	var log logged
	w.startHub(log.into, func(c *hub.Config) { c.TrimEvery = 50 * time.Millisecond })
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	w.stopServer()
	began := time.Now()
	w.eventually("the outage to last", func() error {
		if lasts := time.Since(began); lasts < 1500*time.Millisecond {
			return fmt.Errorf("%s so far", lasts)
		}
		return nil
	})
	w.startServer()
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 2)
	w.eventually("the end of the outage", func() error {
		if log.count("out of trouble", `work="read ingest"`) != 1 {
			return errors.New(log.text())
		}
		return nil
	})
	// A few pieces of work, each with a reason or two.
	if n := log.count("level=WARN"); n > 15 {
		t.Errorf("%d warnings:\n%s", n, log.text())
	}
}

// Workers that hand something back all the time keep no full lane from purging
// what is acknowledged.
func TestFullLaneWithRedeliveries(t *testing.T) {
	w := newWorld(t)
	w.patience = time.Minute // beside others, each look at the workers takes its time
	w.startHub()
	w.register("s", `{"entities":["user"],"max_bytes":65536}`)
	c, err := w.js.Consumer(t.Context(), "SUB_s", "workers")
	if err != nil {
		t.Fatal(err)
	}
	var handled atomic.Int64
	var before jetstream.Msg // a redelivered one: kept until there is the next
	consuming, err := c.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil {
			t.Error(err)
			return
		}
		if seq, _ := strconv.Atoi(sequence(m.Headers())); seq%20 == 0 {
			if meta.NumDelivered == 1 {
				_ = m.Nak()
				return
			}
			m, before = before, m
		}
		if m != nil {
			handled.Add(1)
			_ = m.Ack()
		}
	}, jetstream.PullMaxMessages(50))
	if err != nil {
		t.Fatal(err)
	}
	defer consuming.Stop()
	const events = 1000
	if err := w.publishAll(t.Context(), "user", events); err != nil {
		t.Fatal(err)
	}
	w.eventually("all but what the worker keeps to be handled", func() error {
		if n := handled.Load(); n < events-1 {
			status, _ := w.describe("s")
			return fmt.Errorf("%d of %d, %s %s", n, events, status.State, status.Reason)
		}
		return nil
	})
}
