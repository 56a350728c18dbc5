package replhub_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub"
)

// A subscriber registers what it wants and handles it until its context ends.
func ExampleClient_RunSubscriber() {
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

	type user struct{ ID, Name string }
	handler := replhub.JSON(func(_ context.Context, d *replhub.Delivery, u user) error {
		fmt.Println(d.Op, d.Key, u.Name)
		cancel() // enough for an example
		return nil
	})
	subscriber, err := replhub.NewSubscriber(client, replhub.SubscriberConfig{
		Registration: replhub.Registration{
			Interests: []replhub.Interest{{Entity: "user"}},
			Queue:     replhub.Queue{Order: replhub.OrderKey, Partitions: 4},
		},
	}, handler)
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- subscriber.Run(ctx) }()

	<-subscriber.Ready()
	event := replhub.Event{Entity: "user", Op: replhub.Create, Key: "42", Data: []byte(`{"id":"42","name":"Ada"}`)}
	publishFrom(url, "profile", event)
	fmt.Println(<-done)
	// Output:
	// create 42 Ada
	// <nil>
}

// What a handler returns says what is to become of the event.
func ExamplePark() {
	handler := replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		if d.Key == "" {
			return replhub.Park(errors.New("a user without an id")) // another attempt would not help
		}
		return nil
	})
	fmt.Println(handler.Handle(context.Background(), &replhub.Delivery{Entity: "user"}))
	// Output: a user without an id
}

// Middleware has the shape of net/http's.
func ExampleChain() {
	logged := func(next replhub.Handler) replhub.Handler {
		return replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
			err := next.Handle(ctx, d)
			fmt.Println(d.Entity, d.Key, err)
			return err
		})
	}
	handler := replhub.Chain(replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error { return nil }), logged)
	if err := handler.Handle(context.Background(), &replhub.Delivery{Entity: "user", Key: "42"}); err != nil {
		fmt.Println(err)
	}
	// Output: user 42 <nil>
}

// publishFrom publishes one event as another service.
func publishFrom(url, service string, e replhub.Event) {
	client, err := replhub.Connect(context.Background(), replhub.Config{URL: url, Service: service})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	if _, err := client.Publish(context.Background(), e); err != nil {
		panic(err)
	}
}
