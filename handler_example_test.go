package replhub_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub"
)

// A handler of payloads as values. What is no such JSON becomes a dead letter.
func ExampleJSON() {
	type user struct{ Name string }
	handler := replhub.JSON(func(_ context.Context, d *replhub.Delivery, u user) error {
		fmt.Println(d.Op, d.Key, u.Name)
		return nil
	})
	for _, data := range []string{`{"name":"Ada"}`, `{"name":`} {
		err := handler.Handle(context.Background(), &replhub.Delivery{Op: replhub.Update, Key: "42", Data: []byte(data)})
		fmt.Println(err)
	}
	// Output:
	// update 42 Ada
	// <nil>
	// decode the payload: unexpected end of JSON input
}

// The same of another format.
func ExampleDecode() {
	type user struct {
		Name string `xml:"name"`
	}
	handler := replhub.Decode(replhub.CodecFunc(xml.Unmarshal), func(_ context.Context, d *replhub.Delivery, u user) error {
		fmt.Println(d.Key, u.Name)
		return nil
	})
	err := handler.Handle(context.Background(), &replhub.Delivery{Key: "42", Data: []byte(`<user><name>Ada</name></user>`)})
	fmt.Println(err)
	// Output:
	// 42 Ada
	// <nil>
}

// A handler may say when it is worth another attempt.
func ExampleRetryAfter() {
	busy := errors.New("the mail server says: try again in a minute")
	handler := replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
		return replhub.RetryAfter(time.Minute, busy)
	})
	err := handler.Handle(context.Background(), &replhub.Delivery{Entity: "user", Key: "42"})
	fmt.Println(errors.Is(err, busy))
	// Output: true
}

// A subscriber that tells when it is ready, here with what is to be tried how
// often, and who is told of what failed for good.
func ExampleNewSubscriber() {
	url, stop := exampleHub()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	subscriber, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}},
		MaxAttempts:  2,
		MinBackoff:   time.Millisecond,
		OnDead: func(d *replhub.Delivery, cause error) {
			fmt.Println("dead letter:", d.Entity, d.Key, cause)
			cancel() // enough for an example
		},
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		fmt.Println(d.Op, d.Entity, d.Key)
		return errors.New("no such tenant")
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- subscriber.Run(ctx) }()
	<-subscriber.Ready()
	publishFrom(url, "profile", replhub.Event{Entity: "user", Op: replhub.Create, Key: "42"})
	fmt.Println(<-done)
	// Output:
	// create user 42
	// create user 42
	// dead letter: user 42 no such tenant
	// <nil>
}

// How far behind a service is, and what went wrong.
func ExampleClient_Describe() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if _, err := client.Register(ctx, replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}}); err != nil {
		fmt.Println(err)
		return
	}

	status, err := client.Describe(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.State, status.Entities, status.Lag, status.Backlog, status.DeadLetters)
	// Output: live [user] 0 0 0
}

// A service that does not want an entity any more.
func ExampleClient_Unregister() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	both := []replhub.Interest{{Entity: "user"}, {Entity: "photo"}}
	if _, err := client.Register(ctx, replhub.Registration{Interests: both}); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(client.Unregister(ctx, "photo"))
	// Output: [photo] <nil>
}

// A handler that calls something which may be away says so: the event has no part
// in it and keeps all its attempts.
func ExampleUnavailable() {
	down := errors.New("the mail server answers 503")
	handler := replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
		return replhub.Unavailable(down)
	})
	err := handler.Handle(context.Background(), &replhub.Delivery{Entity: "user", Key: "42"})
	fmt.Println(errors.Is(err, down))
	// Output: true
}

// A handler of what waits, in one transaction for one.
func ExampleClient_RunBatchSubscriber() {
	url, stop := exampleHub()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	registration := replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}}
	if _, err := client.Register(ctx, registration); err != nil {
		fmt.Println(err)
		return
	}
	publishFrom(url, "profile", replhub.Event{Entity: "user", Op: replhub.Create, Key: "42"})
	publishFrom(url, "profile", replhub.Event{Entity: "user", Op: replhub.Delete, Key: "42"})

	handled := 0
	err = client.RunBatchSubscriber(ctx, replhub.SubscriberConfig{MaxBatch: 100}, replhub.BatchHandlerFunc(
		func(_ context.Context, batch []*replhub.Delivery) error {
			for _, d := range batch { // one transaction, in a service
				fmt.Println(d.Op, d.Entity, d.Key)
			}
			if handled += len(batch); handled == 2 {
				cancel() // enough for an example
			}
			return nil
		}))
	fmt.Println(err)
	// Output:
	// create user 42
	// delete user 42
	// <nil>
}
