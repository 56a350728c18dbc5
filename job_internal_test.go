package replhub

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/queue"
)

func TestParseReply(t *testing.T) {
	for subject, want := range map[string]coordinates{
		"$JS.ACK.SUB_s.workers.3.1042.17.1700000000000000000.5":                 {stream: 1042, consumer: 17, delivered: 3},
		"$JS.ACK.hub.ACCHASH.SUB_s.workers.3.1042.17.1700000000000000000.5.tok": {stream: 1042, consumer: 17, delivered: 3},
		"$JS.ACK._.ACCHASH.SUB_s.workers.3.1042.17.1700000000000000000.5":       {stream: 1042, consumer: 17, delivered: 3},
	} {
		if got, ok := parseReply(subject); !ok || got != want {
			t.Errorf("parseReply(%q) = %+v, %v", subject, got, ok)
		}
	}
	for _, subject := range []string{"", "_INBOX.x", "$JS.ACK.", "$JS.ACK.SUB_s.workers.x.1.1.1.1", "$JS.ACK.a.b.c"} {
		if got, ok := parseReply(subject); ok {
			t.Errorf("parseReply(%q) = %+v", subject, got)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	s := SubscriberConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second}
	for attempts, want := range map[int]time.Duration{
		1: s.MinBackoff, 2: 2 * s.MinBackoff, 3: 4 * s.MinBackoff, 4: 8 * s.MinBackoff, 5: s.MaxBackoff, 50: s.MaxBackoff, 500: s.MaxBackoff,
	} {
		for range 100 {
			if d := s.backoff(attempts); d < want/2 || d > want {
				t.Fatalf("after %d attempts %s, want %s to %s", attempts, d, want/2, want)
			}
		}
	}
}

func TestFitLetterMakesRoom(t *testing.T) {
	letter := func() *nats.Msg {
		return &nats.Msg{Data: make([]byte, 1000), Header: nats.Header{"Replhub-Error": {"no"}, "Own": {string(make([]byte, 500))}}}
	}
	for limit, want := range map[int64][2]int{2000: {1000, 1}, 1200: {1000, 0}, 200: {0, 0}} {
		m := letter()
		fitLetter(m, "failed", limit)
		if len(m.Data) != want[0] || len(m.Header["Own"]) != want[1] {
			t.Errorf("limit %d: %d bytes, headers %v", limit, len(m.Data), m.Header)
		}
		if reason := m.Header.Get("Replhub-Reason"); (reason == "too_large") != (want[0] == 0) {
			t.Errorf("limit %d: reason %q", limit, reason)
		}
	}
}

func TestPullEnds(t *testing.T) {
	for said, want := range map[[2]string]queue.PullEnd{
		{"408", "Request Timeout"}:               queue.PullOver,
		{"404", "No Messages"}:                   queue.PullOver,
		{"423", "Nats-Wrong-Pin-Id"}:             queue.PullUnpinned,
		{"409", "Consumer Deleted"}:              queue.PullNoConsumer,
		{"409", "Consumer is push based"}:        queue.PullNoConsumer,
		{"400", "Bad Request - Priority Group"}:  queue.PullNoConsumer,
		{"503", ""}:                              queue.PullNoConsumer,
		{"409", "Leadership Change"}:             queue.PullInterrupted,
		{"409", "Server Shutdown"}:               queue.PullInterrupted,
		{"409", "Message Size Exceeds MaxBytes"}: queue.PullInterrupted,
	} {
		if got := pullEnd(said[0], said[1]); got != want {
			t.Errorf("%v: %d, want %d", said, got, want)
		}
	}
}
