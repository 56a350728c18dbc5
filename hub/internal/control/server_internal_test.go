package control

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

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
	c := NewServer(Config{Conn: nc, Logger: slog.New(slog.DiscardHandler)})
	for _, size := range []int{maxPayload - 2, maxPayload - 1, 1 << 20} {
		c.answer("answers", strings.Repeat("x", size), nil)
		m, err := answers.NextMsg(20 * time.Second)
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
