package replhub_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// A server can keep services from reading each other's answers, since each has a
// prefix of its own.
func TestReplySubjectsAreTheServicesOwn(t *testing.T) {
	server := natstest.Start(t)
	hub := server.Connect()
	for name, tt := range map[string]struct {
		options []nats.Option
		want    string
	}{
		"by itself":      {nil, "_INBOX_sharing."},
		"as Options say": {[]nats.Option{nats.CustomInboxPrefix("mine")}, "mine."},
	} {
		t.Run(name, func(t *testing.T) {
			replies := make(chan string, 1)
			sub, err := hub.Subscribe("replhub.describe.sharing", func(m *nats.Msg) {
				replies <- m.Reply
				_ = m.Respond([]byte(`{}`))
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sub.Unsubscribe() }()
			if err := hub.Flush(); err != nil {
				t.Fatal(err)
			}
			client, err := replhub.Connect(t.Context(), replhub.Config{URL: server.URL(), Service: "sharing", Options: tt.options})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := client.Describe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if reply := <-replies; !strings.HasPrefix(reply, tt.want) {
				t.Errorf("the reply subject is %s", reply)
			}
		})
	}
}
