package replhub_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/subjects"
)

// share is how soon instances must have no more than their share, and every
// partition somebody: 5 s on a machine that does nothing else (3 s is usual), and
// more where the race detector and other tests share two cores.
const share = 15 * time.Second

// Sixteen partitions over instances that go from one to four to three.
func TestPartitionsFollowTheInstances(t *testing.T) {
	const partitions = 16
	l := newLab(t)
	l.startHub()
	rec := newBook()
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: partitions, MaxDeliver: 100}
	var mu sync.Mutex
	of := make(map[int]string)   // who last handled each partition
	busy := make(map[int]string) // who is at work on it, by key
	start := func(who string) *instance {
		return l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue), Instance: who}, func(ctx context.Context, d *replhub.Delivery) error {
			defer rec.begin(who, d)()
			p := subjects.Partition(d.Key, partitions)
			mu.Lock()
			if other := busy[p]; other != "" && other != who {
				t.Errorf("%s at work on partition %d of %s", who, p, other)
			}
			busy[p], of[p] = who, who
			mu.Unlock()
			timer := time.NewTimer(time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			mu.Lock()
			busy[p] = ""
			mu.Unlock()
			return ctx.Err()
		})
	}
	published := 0
	// settle feeds until everybody named has his share, and nobody else any.
	settle := func(names ...string) {
		t.Helper()
		began := time.Now()
		l.eventually(fmt.Sprintf("shares of %v", names), func() error {
			// Never more than they get through soon: else the publisher leaves the hub and the
			// instances no time to speak to each other.
			if handled, _ := rec.counts(); published < handled+1000 {
				l.feed(published, published+200, keyed(100))
				published += 200
			}
			mu.Lock()
			defer mu.Unlock()
			held := make(map[string]int)
			for _, who := range of {
				if !slices.Contains(names, who) {
					return fmt.Errorf("%s has some", who)
				}
				held[who]++
			}
			for _, who := range names {
				if n := held[who]; n < partitions/len(names) || n > (partitions+len(names)-1)/len(names) {
					return fmt.Errorf("%s has %d of %v", who, n, held)
				}
			}
			return nil
		})
		took := time.Since(began)
		t.Logf("%v after %s", names, took.Round(time.Millisecond))
		if took > share {
			t.Errorf("%v have their shares after %s, want %s", names, took, share)
		}
	}
	start("a")
	settle("a")
	start("b")
	start("c")
	d := start("d")
	settle("a", "b", "c", "d")
	d.kill()
	settle("a", "b", "c")
	total := func() int { n, _ := rec.counts(); return n }
	l.eventually("all events", func() error { return count("events", total(), published) })
	rec.check(t)
	t.Logf("%d events, %d of them not for the first time", published, func() int { _, n := rec.counts(); return n }())
	deadLetters(t, l, 0)
}

func deadLetters(t *testing.T, l *lab, want int) {
	t.Helper()
	dlq, err := l.js().Stream(t.Context(), "DLQ")
	if err != nil {
		t.Fatal(err)
	}
	info, err := dlq.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := int(info.State.Msgs); n != want {
		t.Errorf("%d dead letters, want %d", n, want)
	}
}

// What an instance took and did not acknowledge comes first at the next one.
func TestNextHolderSettlesWhatWasDelivered(t *testing.T) {
	l := newLab(t)
	l.startHub()
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 2, AckWait: 30 * time.Second}
	stuck := make(chan struct{}, 100)
	first := l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue), DrainTimeout: time.Millisecond},
		func(ctx context.Context, _ *replhub.Delivery) error {
			stuck <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
	l.feed(0, 100, keyed(10))
	for range 10 {
		<-stuck
	}
	first.kill()
	rec := newBook()
	began := time.Now()
	l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)}, func(_ context.Context, d *replhub.Delivery) error {
		defer rec.begin("second", d)()
		return nil
	})
	l.feed(100, 200, keyed(10))
	l.eventually("all events", func() error {
		total, _ := rec.counts()
		return count("events", total, 200)
	})
	rec.check(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("taken over after %s: it waited for the ack wait", took)
	}
}

// A hub that is away stops nothing.
func TestPartitionsStayWithoutAHub(t *testing.T) {
	l := newLab(t)
	stop, err := startHub(l.url)
	if err != nil {
		t.Fatal(err)
	}
	rec := newBook()
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 4}
	l.instance("sharing", replhub.SubscriberConfig{Registration: users(queue)}, func(_ context.Context, d *replhub.Delivery) error {
		defer rec.begin("a", d)()
		return nil
	})
	l.feed(0, 100, keyed(10))
	l.eventually("the first", func() error { total, _ := rec.counts(); return count("events", total, 100) })
	// Copies that lie in the lane, as a hub that died right after making them
	// leaves them.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// Longer than the lease.
	idle := time.NewTimer(4 * time.Second)
	<-idle.C
	js := l.js()
	for n := 100; n < 120; n++ {
		lay(t, js, "sharing", "k"+strconv.Itoa(n%10), n, 4)
	}
	l.eventually("those without a hub", func() error { total, _ := rec.counts(); return count("events", total, 120) })
	rec.check(t)
}

// lay puts a copy into a lane, in the hub's place.
func lay(t *testing.T, js jetstream.JetStream, service, key string, n, partitions int) {
	t.Helper()
	m := nats.NewMsg("sub." + service + ".user.update." + strconv.Itoa(subjects.Partition(key, partitions)))
	m.Data = []byte(strconv.Itoa(n))
	for name, value := range map[string]string{"Replhub-Key": key, "Replhub-Position": "1-" + strconv.Itoa(n+1)} {
		m.Header.Set(name, value)
	}
	if _, err := js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}
