package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// smallQuota lets each service have 64 KiB of dead letters in a stream of 1 MiB.
func smallQuota(cfg *hub.Config) { cfg.DLQMaxBytes, cfg.DLQServiceMaxBytes = 1<<20, 64<<10 }

// lettersOf counts a service's dead letters.
func (w *world) lettersOf(service string) int {
	w.t.Helper()
	info, err := w.stream(contract.StreamDLQ).Info(w.t.Context(), jetstream.WithSubjectFilter("dlq."+service+".>"))
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, count := range info.State.Subjects {
		n += int(count)
	}
	return n
}

// awaitOverQuota waits until a service alone is degraded by its quota.
func (w *world) awaitOverQuota(service string) {
	w.t.Helper()
	w.eventually(service+" to be over its quota", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if len(status.Degraded) != 1 || !strings.Contains(status.Degraded[0], "lane "+service+" stalled: dead letters are full for this service") {
			return fmt.Errorf("degraded %q", status.Degraded)
		}
		return nil
	})
	// Its owner may be another hub than the one that was asked.
	w.eventually(service+" to be described as over its quota", func() error {
		described, err := w.describe(service)
		if err == nil && (described.State != contract.LaneStalled || !strings.Contains(described.Reason, "redrive")) {
			err = fmt.Errorf("%s: %s", described.State, described.Reason)
		}
		return err
	})
	if size := w.stream(contract.StreamDLQ).CachedInfo().State.Bytes; size > 128<<10 {
		w.t.Errorf("the dead letters take %d bytes", size)
	}
}

// A service whose filter fails on every event stalls alone, at its quota; the
// poison events of others become letters as ever. It goes on once there is room.
func TestServiceOverItsQuotaStallsAlone(t *testing.T) {
	w := newWorld(t)
	w.startHub(smallQuota)
	w.register("bad", `{"interests":[{"entity":"user","filter":"data.n > 0"}]}`)
	w.register("good", `{"interests":[{"entity":"user","ops":["create"]},{"entity":"tenant","filter":"data.n > 0"}],"queue":{"max_deliver":2}}`)
	w.users(0, 500)
	w.awaitOverQuota("bad")
	w.publish("db.tenant.update", `{}`)
	w.publish("db.user.create", `{"id":"7"}`)
	w.copies("good", 1)
	w.work("good", "workers", poison("7"))
	w.eventually("the letters of the good service", func() error {
		if n := w.lettersOf("good"); n != 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	before := w.lettersOf("bad")
	if err := w.stream(contract.StreamDLQ).Purge(t.Context(), jetstream.WithPurgeSubject("dlq.bad.>")); err != nil {
		t.Fatal(err)
	}
	w.eventually("the bad service to go on", func() error {
		status, err := w.describe("bad")
		if err == nil && status.Seq < uint64(before+1) {
			err = fmt.Errorf("it stands at %d", status.Seq)
		}
		return err
	})
	if n := w.lettersOf("bad"); n == 0 {
		t.Error("no letter came after the purge")
	}
	w.startHub(smallQuota) // another hub counts what is there
	w.awaitOverQuota("bad")
}

// Deliveries that nobody acknowledges fill a service's quota; the advisories of
// others become letters all the same.
func TestAdvisoriesOverTheQuotaKeepNobodyElsesBack(t *testing.T) {
	w := newWorld(t)
	w.startHub(smallQuota)
	w.register("bad", `{"entities":["user"],"queue":{"max_deliver":1}}`)
	w.register("good", `{"entities":["tenant"],"queue":{"max_deliver":1}}`)
	if err := w.publishAll(t.Context(), "user", 1500); err != nil { // more than 1000 wait
		t.Fatal(err)
	}
	w.copies("bad", 1500)
	w.terminate("bad", 1500)
	w.awaitOverQuota("bad")
	w.publish("db.tenant.update", `{"id":"7"}`)
	w.copies("good", 1)
	w.terminate("good", 1)
	w.eventually("the letter of the good service", func() error {
		if n := w.lettersOf("good"); n != 1 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

// terminate gives deliveries up.
func (w *world) terminate(service string, n int) {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), "SUB_"+service, "workers")
	if err != nil {
		w.t.Fatal(err)
	}
	for n > 0 {
		batch, err := c.FetchNoWait(min(n, 500))
		if err != nil {
			w.t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.Term(); err != nil {
				w.t.Fatal(err)
			}
			n--
		}
	}
}

// The SDK's own letters keep to the quota, and its workers go on with what is no
// poison.
func TestLettersOfInstancesKeepToTheQuota(t *testing.T) {
	w := newWorld(t)
	w.startHub(smallQuota)
	client, err := replhub.Connect(t.Context(), replhub.Config{URL: w.url, Service: "bad", Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	well := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- client.RunSubscriber(ctx, replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}, {Entity: "tenant"}}},
		}, replhub.HandlerFunc(func(_ context.Context, d *replhub.Delivery) error {
			if d.Entity == "tenant" {
				well <- d.ID
				return nil
			}
			return replhub.Park(errors.New("no use"))
		}))
	}()
	defer func() { cancel(); <-done; client.Close() }()
	w.eventually("the subscription", func() error { _, err := w.describe("bad"); return err })
	for i := range 600 {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	w.awaitOverQuota("bad")
	w.publish("db.tenant.update", `{"id":"a"}`)
	<-well
	if n := w.lettersOf("bad"); n < 50 || n > 400 {
		t.Errorf("%d letters", n)
	}
}
