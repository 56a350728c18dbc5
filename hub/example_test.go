package hub_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/embedded"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/kvmap"
)

// Everything in one process: a server, a registry in a bucket, and the hub.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{Port: embedded.FreePort})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	nc, err := server.Connect()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		fmt.Println(err)
		return
	}
	registry, err := kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords()})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- h.Run(running) }()
	<-h.Ready()

	if _, err := nc.Request("replhub.register.sharing", []byte(`{"entities":["user"]}`), 5*time.Second); err != nil {
		fmt.Println(err)
	}
	if _, err := js.Publish(ctx, "db.user.create", []byte(`{"id":"42","name":"Ada"}`)); err != nil {
		fmt.Println(err)
	}
	workers, err := js.Consumer(ctx, "SUB_sharing", "workers")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := workers.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(msg.Subject(), msg.Headers().Get("Replhub-Key"), string(msg.Data()))
	if err := msg.Ack(); err != nil {
		fmt.Println(err)
	}
	stop()
	if err := <-done; err != nil {
		fmt.Println(err)
	}
	// Output: sub.sharing.user.create.0 42 {"id":"42","name":"Ada"}
}
