package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/embedded"
)

// exampleHub is what "replhub dev" runs, on a port of its own.
func exampleHub() (url string, stop func()) {
	server, err := embedded.Start(context.Background(), embedded.Config{Port: embedded.FreePort})
	if err != nil {
		panic(err)
	}
	stopHub, err := startHub(server.ClientURL())
	if err != nil {
		panic(err)
	}
	return server.ClientURL(), func() {
		if err := errors.Join(stopHub(), server.Close()); err != nil {
			panic(err)
		}
	}
}

// The zero Config connects to "replhub dev"; a service gives its name.
func ExampleConnect() {
	url, stop := exampleHub()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "profile", WaitForHub: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client.Service())
	// Output: profile
}

// A publish that is repeated under its id is one event.
func ExampleClient_Publish() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "profile"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	event := replhub.Event{Entity: "user", Op: replhub.Create, Key: "42", ID: "change-1", Data: []byte(`{"id":"42","name":"Ada"}`)}
	for range 2 {
		ack, err := client.Publish(ctx, event)
		switch {
		case errors.Is(err, replhub.ErrUnknownOutcome):
			fmt.Println("try again under the same id")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(ack.Seq, ack.Duplicate)
		}
	}
	// Output:
	// 1 false
	// 1 true
}

// What of a batch was not acknowledged can be published again as it is.
func ExampleClient_PublishBatch() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "profile"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	events := []replhub.Event{
		{Entity: "user", Op: replhub.Create, Key: "42", Data: []byte(`{"id":"42","name":"Ada"}`)},
		{Entity: "user", Op: replhub.Update, Key: "42", Data: []byte(`{"id":"42","name":"Ada L."}`)},
		{Entity: "user", Op: replhub.Delete, Key: "41"},
	}
	acks, err := client.PublishBatch(ctx, events)
	if err != nil {
		events = events[len(acks):]
		fmt.Println(len(events), "left:", err)
		return
	}
	fmt.Println(len(acks), "stored")
	// Output: 3 stored
}

// Events that need not be waited for one by one.
func ExampleClient_PublishAsync() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "profile"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	var pending []*replhub.Pending
	for i := range 10 {
		p, err := client.PublishAsync(ctx, replhub.Event{Entity: "user", Op: replhub.Read, Key: fmt.Sprint(i)})
		if err != nil {
			fmt.Println(err)
			return
		}
		pending = append(pending, p)
	}
	for _, p := range pending {
		if _, err := p.Wait(ctx); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(len(pending), "done")
	// Output: 10 done
}

// A service says at each start what it wants; the first time counts.
func ExampleClient_Register() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	registered, err := client.Register(ctx, replhub.Registration{
		Interests: []replhub.Interest{{
			Entity: "user",
			Filter: "has(data.tenant) && data.tenant == 'acme'",
			Fields: []string{"id", "name"},
			Start:  replhub.StartAll(),
		}},
	})
	var refused *replhub.RefusedError
	switch {
	case errors.As(err, &refused):
		fmt.Println(refused.Code, refused.Field)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(registered.Stream, registered.Consumers, registered.Since["user"])
	}
	// Output: SUB_sharing [workers] 1
}
