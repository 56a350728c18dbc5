package hub

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// TestListed: what is degraded is told in a bounded reply, however many lanes
// that are and whatever their reasons say.
func TestListed(t *testing.T) {
	var texts []string
	for i := range 5000 {
		texts = append(texts, fmt.Sprintf("lane l%04d detached: %s", i, strings.Repeat("\"ü", i)))
	}
	for _, tt := range []struct{ texts, room, listed int }{
		{0, 1 << 20, 0},
		{100, 1 << 20, 100},
		{101, 1 << 20, 101},
		{5000, 1 << 20, 101},
		{5000, 2000, 27},
		{5000, 10, 1},
	} {
		list := listed(texts[:tt.texts], tt.room)
		if len(list) != tt.listed {
			t.Errorf("%d texts in %d bytes: %d are listed, want %d", tt.texts, tt.room, len(list), tt.listed)
		}
		told := len(list)
		if told > 0 && strings.HasPrefix(list[told-1], "and ") {
			var more int
			if _, err := fmt.Sscanf(list[told-1], "and %d more", &more); err != nil || told-1+more != tt.texts {
				t.Errorf("%d texts in %d bytes: %q behind %d", tt.texts, tt.room, list[told-1], told-1)
			}
			list = list[:told-1]
		}
		if size := jsonSize(list); size > tt.room+len("[]") {
			t.Errorf("%d texts take %d bytes of %d", tt.texts, size, tt.room)
		}
	}
}

// TestRefusalIsShort: a refusal fits beside its headers, and is text.
func TestRefusalIsShort(t *testing.T) {
	long := strings.Repeat("ü\x00", 1<<20)
	for _, maxPayload := range []int64{1 << 10, 64 << 10, 1 << 20} {
		refusal := short(&contract.Error{Code: contract.CodeInternal, Field: long, Message: long}, maxPayload)
		if size := jsonSize(contract.Refusal{Error: refusal}) + len(refusal.Message); int64(size) > maxPayload || !utf8.ValidString(refusal.Message) {
			t.Errorf("max_payload %d: %d bytes", maxPayload, size)
		}
	}
}

// TestReplyThatDoesNotFitIsRefused: whatever is larger than the server takes is
// answered all the same.
func TestReplyThatDoesNotFitIsRefused(t *testing.T) {
	const maxPayload = 4 << 10
	server := natstest.Start(t, func(c *embedded.Config) { c.MaxPayload = maxPayload })
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	answers, err := nc.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	c := &control{hub: &Hub{nc: nc, log: slog.New(slog.DiscardHandler)}}
	for _, size := range []int{maxPayload - 2, maxPayload - 1, 1 << 20} {
		c.answer("answers", strings.Repeat("x", size), nil)
		m, err := answers.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		var refusal contract.Refusal
		switch code := m.Header.Get(micro.ErrorCodeHeader); {
		case size+2 <= maxPayload && code == "" && len(m.Data) == size+2: // quotes
		case size+2 > maxPayload && code == string(contract.CodeLimit) && json.Unmarshal(m.Data, &refusal) == nil &&
			strings.Contains(refusal.Error.Message, fmt.Sprintf("%d bytes", size+2)):
		default:
			t.Errorf("%d bytes: %v %.200s", size, m.Header, m.Data)
		}
	}
}
