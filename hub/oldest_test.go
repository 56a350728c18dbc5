package hub_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// keyOf is a key of a partition.
func keyOf(partition, partitions int) string {
	for i := 0; ; i++ {
		if key := strconv.Itoa(i); subjects.Partition(key, partitions) == partition {
			return key
		}
	}
}

// What the oldest unacknowledged copy is, each consumer knows of its own
// partition alone: its ack floor lies behind copies of the others.
func TestOldestUnackedIsOfTheOwnPartition(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", `{"entities":["user"],"queue":{"order":"key","partitions":3}}`)
	w.publish("db.user.update", `{}`, contract.HeaderKey, keyOf(1, 3))
	w.publish("db.user.update", `{}`, contract.HeaderKey, keyOf(0, 3))
	w.copies("s", 2)
	w.consumePinned("s", 0, 1)
	w.consumePinned("s", 1, 1)
	began := time.Now()
	w.eventually("time to pass", func() error {
		if age := time.Since(began); age < time.Second {
			return fmt.Errorf("%s so far", age)
		}
		return nil
	})
	later := time.Now()
	w.publish("db.user.update", `{}`, contract.HeaderKey, keyOf(1, 3))
	w.eventually("the backlog", func() error {
		status, err := w.describe("s")
		if err != nil {
			return err
		}
		if status.Backlog != 1 {
			return fmt.Errorf("backlog %d", status.Backlog)
		}
		if limit := time.Since(later).Seconds() + 0.1; status.OldestUnacked <= 0 || status.OldestUnacked > limit {
			t.Fatalf("the oldest is %.1f s old, and the only one was published %.1f s ago", status.OldestUnacked, limit)
		}
		return nil
	})
}

// A lane that stands in an earlier epoch lacks what was stored since, whatever its
// own sequence was: it was greater than all of the new ones.
func TestLagOfALaneInAnEarlierEpoch(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("old", `{"entities":["user"]}`)
	w.register("other", `{"entities":["user"]}`)
	w.users(0, 30)
	w.copies("old", 30)
	w.put("entities.user.old", `{"v":2}`) // as a newer hub would: the lane is parked
	w.awaitState("old", contract.LaneIncompatible)
	w.deleteStream(contract.StreamIngest)
	w.eventually("ingest to be made again", func() error {
		_, err := w.js.Stream(t.Context(), contract.StreamIngest)
		return err
	})
	began := time.Now()
	w.users(30, 40)
	w.copies("other", 40)
	w.eventually("the lag", func() error {
		status, err := w.describe("old")
		if err != nil {
			return err
		}
		most := time.Since(began).Seconds() + 0.1
		if status.Lag != 10 || status.LagSeconds <= 0 || status.LagSeconds > most {
			return fmt.Errorf("%d events, the oldest of %.2f s; want 10, of at most %.2f s", status.Lag, status.LagSeconds, most)
		}
		got := o.metrics()
		lag, age := got[`replhub_lane_lag_events{service="old"}`], got[`replhub_lane_lag_seconds{service="old"}`]
		if most := time.Since(began).Seconds() + 0.1; lag != 10 || age <= 0 || age > most {
			return fmt.Errorf("metrics: %v events, the oldest of %v s; want 10, of at most %.2f s", lag, age, most)
		}
		return nil
	})
	// Its copies of the earlier epoch are its workers' backlog all the same.
	if status, err := w.describe("old"); err != nil || status.Backlog != 30 || status.OldestUnacked < status.LagSeconds {
		t.Errorf("backlog %d, the oldest of %.2f s, %v; want 30 from before", status.Backlog, status.OldestUnacked, err)
	}
}

// A state record is no copy, and a copy that was redriven waits since then.
func TestOldestUnacked(t *testing.T) {
	w := newWorld(t)
	s, err := w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SUB_x", Subjects: []string{"sub.x.>"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: "workers-1", FilterSubject: "sub.x.*.*.1", AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	event := time.Now().Add(-time.Hour).UTC()
	add := func(subject string, header ...string) {
		t.Helper()
		m := nats.NewMsg(subject)
		for i := 0; i < len(header); i += 2 {
			m.Header.Set(header[i], header[i+1])
		}
		if _, err := w.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (time.Time, bool) {
		t.Helper()
		var at time.Time
		var found bool
		w.eventually("the consumer to have counted", func() error {
			info, err := c.Info(t.Context())
			if err != nil {
				return err
			}
			last := s.CachedInfo().State.LastSeq
			if fresh, err := s.Info(t.Context()); err == nil {
				last = fresh.State.LastSeq
			}
			if info.NumPending == 0 && last > 3 {
				return fmt.Errorf("nothing pending of %d", last)
			}
			at, found, err = lane.Oldest(t.Context(), s, map[string]*jetstream.ConsumerInfo{"workers-1": info})
			return err
		})
		return at, found
	}
	copied := func(seq int) []string {
		return []string{
			contract.HeaderPosition, "1-" + strconv.Itoa(seq),
			contract.HeaderTime, event.Format(time.RFC3339Nano), contract.HeaderExpectedLastSeq, strconv.Itoa(seq - 1),
		}
	}
	add("sub.x.user.update.0", copied(1)...)
	add("sub.x._state")
	add("sub.x.user.update.2", copied(3)...)
	if at, found := look(); found {
		t.Errorf("nothing of the partition's, and the oldest is of %s", at)
	}
	began := time.Now()
	add("sub.x.user.update.1", append(copied(4), contract.HeaderRedriven, "1")...)
	if at, found := look(); !found || at.Before(began.Add(-time.Second)) {
		t.Errorf("redriven just now, and the oldest is of %s (%t)", at, found)
	}
	add("sub.x.user.update.1", copied(5)...)
	w.consumeOne(c)
	if at, found := look(); !found || !at.Equal(event) {
		t.Errorf("the oldest is of %s (%t), want %s", at, found, event)
	}
}

// consumeOne takes and acknowledges one message of a consumer.
func (w *world) consumeOne(c jetstream.Consumer) {
	w.t.Helper()
	m, err := c.Next()
	if err == nil {
		err = m.DoubleAck(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// describe says who holds which partition, and nothing of those that have died.
func TestDescribeNamesTheHolders(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("sharing", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	holders := func() string {
		t.Helper()
		status, err := w.describe("sharing")
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, worker := range status.Workers {
			text += fmt.Sprintf("%s:%s>%s ", worker.Consumer, worker.Holder, worker.Next)
		}
		return text
	}
	if got := holders(); got != "workers-0:> workers-1:> " {
		t.Errorf("nobody joined: %s", got)
	}
	a := w.join("a", contract.Join{})
	if got := holders(); got != "workers-0:a> workers-1:a> " {
		t.Errorf("a alone: %s", got)
	}
	w.join("b", contract.Join{})
	if got := holders(); got != "workers-0:a> workers-1:a>b " {
		t.Errorf("b waits for a: %s", got)
	}
	a = w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
	w.join("a", contract.Join{Holding: a.Assigned, Generation: a.Generation})
	w.join("b", contract.Join{})
	if got := holders(); got != "workers-0:a> workers-1:b> " {
		t.Errorf("shared: %s", got)
	}
	w.eventually("both to be forgotten", func() error {
		if got := holders(); got != "workers-0:> workers-1:> " {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
}
