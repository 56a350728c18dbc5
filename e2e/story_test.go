package e2e_test

import (
	"fmt"
	"testing"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/e2e/judge"
)

// TestStory is the original's story: user-profile publishes, sharing and
// application want different parts of it, and several instances of each share
// the work; the hub is killed and a service joins late.
func TestStory(t *testing.T) {
	for _, registry := range registries() {
		t.Run(registry, func(t *testing.T) {
			w := harness.New(t, harness.Options{Binary: binary, Registry: registry, Seed: 1})
			hub := w.StartHub("h1")
			w.Register("sharing", want("user"), want("tenant"))
			w.Register("application", withoutSecret("user"))
			w.Register("user-profile", want("user"))
			profile := harness.Load{Origin: "user-profile"}
			w.Publish(profile, 300)
			hub.Kill()
			w.Publish(profile, 100)
			hub.Start()
			sharing := []*harness.Workers{w.Work("sharing", "workers"), w.Work("sharing", "workers"), w.Work("sharing", "workers")}
			w.Publish(profile, 300)
			w.Register("late", from("all", harness.Want{Entity: "user", Definition: judge.Definition{Ops: []string{"delete", "read"}}}))
			row := w.Finish("the story", 1, settleWithin)
			if row.Copies == 0 {
				t.Error("nothing was copied")
			}
			if got := len(w.Lane("user-profile")); got == 0 || w.Position("user-profile") != 0 {
				t.Errorf("user-profile was sent its own events: %d messages", got)
			}
			due := copiesOf(w.Lane("sharing"))
			w.Eventually("every copy to be handled", settleWithin, func() error {
				sum := 0
				for _, one := range sharing {
					sum += one.Handled()
				}
				if sum != due {
					return fmt.Errorf("%d of %d", sum, due)
				}
				return nil
			})
			for i, one := range sharing {
				if one.Handled() == 0 {
					t.Errorf("instance %d of sharing had nothing to do", i)
				}
			}
			if got := w.Describe("sharing").Backlog; got != 0 {
				t.Errorf("backlog %d", got)
			}
		})
	}
}

// copiesOf counts the messages of a lane that are not state records.
func copiesOf(messages []judge.Message) int {
	n := 0
	for _, m := range messages {
		if m.Header["Replhub-Position"] != nil {
			n++
		}
	}
	return n
}
