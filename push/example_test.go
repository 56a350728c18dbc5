package push_test

import (
	"context"
	"log"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/push"
)

// The names of all users, and every later change, go to an endpoint.
func ExampleRun() { //nolint:testableexamples // it needs a hub and an endpoint
	nc, err := nats.Connect(os.Getenv("NATS_URL"), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	summary, err := push.Run(context.Background(), push.Config{
		Conn: nc, Service: "sharing",
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Fields: []string{"id", "name"}, Start: replhub.StartSnapshot()}}},
		URL:          "https://example.com/hook", SecretFile: "/run/secrets/push",
		Once: true,
	})
	log.Printf("%d delivered, %d dead letters, %v", summary.Delivered, summary.DeadLetters, err)
}
