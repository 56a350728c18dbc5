package hub_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// TestOlderPolicyIsNotStored: a policy that was begun before another one, and comes to the
// registry behind it, does not take the place of that one.
func TestOlderPolicyIsNotStored(t *testing.T) {
	for name, newer := range map[string]string{
		"a policy": `{"allow":{"s":{"fields":["id"]}}}`,
		"a clear":  `{"clear":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var n atomic.Int32
			marked, goOn := make(chan struct{}), make(chan struct{})
			w.startHub(func(c *hub.Config) {
				c.Failpoint = func(step string) {
					if step == "policy marked" && n.Add(1) == 1 {
						close(marked)
						<-goOn
					}
				}
			})
			w.register("s", `{"entities":["user"]}`)
			older := make(chan error, 1)
			go func() { older <- w.call("replhub.policy.user", `{"allow":{"s":{}}}`, nil) }()
			<-marked
			set := w.policy("user", newer)
			close(goOn)
			if refusal := asRefusal(t, <-older); refusal.Code != contract.CodeUnavailable || !strings.Contains(refusal.Message, "another policy of user was stated meanwhile") {
				t.Errorf("the older one: %v", refusal)
			}
			record, err := w.recordOf("entities.user")
			switch {
			case set.Cleared && err == nil && record != nil:
				t.Errorf("the registry has %v", record)
			case !set.Cleared && (err != nil || record["rev"] != float64(set.Rev)):
				t.Errorf("the registry has %v, %v; want revision %d", record, err, set.Rev)
			}
			w.register("t", `{"entities":["tenant"]}`)
			err = w.call("replhub.register.t", `{"entities":["user"]}`, nil)
			if set.Cleared != (err == nil) || err != nil && asRefusal(t, err).Code != contract.CodeNotAllowed {
				t.Errorf("a registration: %v", err)
			}
		})
	}
}
