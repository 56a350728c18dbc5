package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// A hub that does not answer, or refuses, may give the partitions to another instance:
// only "no responders" shows that no hub runs.
func TestLeaseEndsBesideAHubThatDoesNotRenewIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ttl   time.Duration
		reply func(m *nats.Msg) error
	}{
		"refuses": {1500 * time.Millisecond, func(m *nats.Msg) error {
			refusal := nats.NewMsg(m.Reply)
			refusal.Header.Set("Nats-Service-Error-Code", "503")
			refusal.Data = []byte(`{"error":{"code":"unavailable","message":"not now"}}`)
			return m.RespondMsg(refusal)
		}},
		"is silent": {2500 * time.Millisecond, func(*nats.Msg) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.log = &recorder{}
			stop, err := startHub(l.url)
			if err != nil {
				t.Fatal(err)
			}
			var handled atomic.Int32
			queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 1}
			l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)}, func(context.Context, *replhub.Delivery) error {
				handled.Add(1)
				return nil
			})
			l.feed(0, 1, keyed(1))
			l.eventually("the partition to be at work", func() error { return count("handled", int(handled.Load()), 1) })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			// The hub that takes its place renews the lease once.
			var asked atomic.Int32
			_, err = l.js().Conn().Subscribe("replhub.join.sharing", func(m *nats.Msg) {
				if asked.Add(1) > 1 {
					_ = c.reply(m) // the test waits for its effect
					return
				}
				joined, err := json.Marshal(contract.Joined{Partitions: 1, Assigned: []int{0}, TTL: contract.Duration(c.ttl)})
				if err != nil {
					t.Error(err)
				}
				_ = m.Respond(joined)
			})
			if err != nil {
				t.Fatal(err)
			}
			l.eventually("the lease to be over", func() error {
				if l.log.times("this instance stood still") == 0 {
					return errors.New("it is not")
				}
				return nil
			})
		})
	}
}
