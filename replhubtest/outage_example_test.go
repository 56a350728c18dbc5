package replhubtest_test

import (
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/replhubtest"
)

// A publish that is under way while the server is restarted ends well, under one
// id.
func ExampleHub_RestartServer() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t, replhubtest.WithDedupeWindow(time.Minute))
	client := hub.Client(t, "profile")
	done := make(chan error, 1)
	go func() {
		for n := range 50 {
			event := replhub.Event{Entity: "user", Op: replhub.Update, Key: "42", ID: fmt.Sprint("change-", n)}
			if _, err := client.Publish(t.Context(), event); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	hub.RestartServer(t)
	fmt.Println(<-done)
	// Output: <nil>
}

// A source that a test may not have yet is waited for, for as long as it says.
func ExampleAwait() {
	t := new(exampleT)
	defer t.end()

	hub := replhubtest.Start(t)
	client := hub.Client(t, "sharing")
	if _, err := client.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}}); err != nil {
		t.Fatalf("register: %v", err)
	}
	hub.Publish(t, replhub.Event{Entity: "user", Op: replhub.Create, Key: "42"})
	replhubtest.Await(t, "the copy in the lane", func() error {
		status, err := client.Describe(t.Context())
		if err == nil && status.Backlog != 1 {
			err = fmt.Errorf("a backlog of %d", status.Backlog)
		}
		return err
	}, replhubtest.Within(20*time.Second))
	fmt.Println("it is there")
	// Output: it is there
}
