package replhub_test

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub"
)

// A service that knows where it stopped begins there: by ingest sequence, or by
// time.
func ExampleStartFrom() {
	url, stop := exampleHub()
	defer stop()
	ctx := context.Background()
	for n := range 3 {
		publishFrom(url, "profile", replhub.Event{Entity: "user", Op: replhub.Create, Key: fmt.Sprint(n)})
	}
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "sharing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = client.RunSubscriber(ctx, replhub.SubscriberConfig{
		Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartFrom(3)}}},
	}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
		fmt.Println("begins with", d.Key, "at", d.Position.Seq)
		cancel()
		return nil
	}))
	fmt.Println(err)
	// Output:
	// begins with 2 at 3
	// <nil>
}

func ExampleStartAt() {
	midnight := time.Date(2027, time.March, 1, 0, 0, 0, 0, time.FixedZone("CET", 3600))
	interest := replhub.Interest{Entity: "user", Start: replhub.StartAt(midnight)}
	fmt.Println(interest.Start)
	// Output: 2027-02-28T23:00:00Z
}

// A service's end: nothing more is taken on, and what is under way is waited for.
func ExampleClient_Drain() {
	url, stop := exampleHub()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := replhub.Connect(ctx, replhub.Config{URL: url, Service: "profile"})
	if err != nil {
		fmt.Println(err)
		return
	}
	pending, err := client.PublishAsync(ctx, replhub.Event{Entity: "user", Op: replhub.Delete, Key: "42"})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println("drained:", client.Drain(ctx))
	ack, err := pending.Wait(ctx)
	fmt.Println(ack.Seq, err)
	_, err = client.Publish(ctx, replhub.Event{Entity: "user", Op: replhub.Delete, Key: "43"})
	fmt.Println(err)
	// Output:
	// drained: <nil>
	// 1 <nil>
	// publish db.user.delete: the client is closed
}
