package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/internal/contract"
)

// errNoParent is what a database answers to a child before its parent.
var errNoParent = database.Mark(errors.New(`violates foreign key constraint "child_parent_fkey"`), database.Waits)

// eachHandler runs a test with handlers of one delivery and of batches, in either
// order. handle is called for one delivery after the other, and its error is the
// batch's.
func eachHandler(t *testing.T, test func(t *testing.T, queue replhub.Queue, start func(l *lab, sub replhub.SubscriberConfig, handle replhub.HandlerFunc) *instance)) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			test(t, queue, func(l *lab, sub replhub.SubscriberConfig, handle replhub.HandlerFunc) *instance {
				return l.instance("sharing", sub, handle)
			})
		})
		t.Run(name+", batches", func(t *testing.T) {
			test(t, queue, func(l *lab, sub replhub.SubscriberConfig, handle replhub.HandlerFunc) *instance {
				return l.batches("sharing", sub, func(ctx context.Context, batch []*replhub.Delivery) error {
					for _, d := range batch {
						if err := handle(ctx, d); err != nil {
							return err
						}
					}
					return nil
				})
			})
		})
	}
}

// A row before its parent waits for much longer than it takes to use up all
// attempts, holds up its own key alone, and is no outage.
func TestChildWaitsForItsParent(t *testing.T) {
	eachHandler(t, func(t *testing.T, queue replhub.Queue, start func(*lab, replhub.SubscriberConfig, replhub.HandlerFunc) *instance) {
		l := newLab(t)
		l.startHub()
		var tries, children atomic.Int32
		var others sync.Map
		var parent atomic.Bool
		sub := quick(queue)
		var dead atomic.Int32
		sub.OnDead = func(*replhub.Delivery, error) { dead.Add(1) }
		i := start(l, sub, func(_ context.Context, d *replhub.Delivery) error {
			switch {
			case d.Key == "parent":
				parent.Store(true)
			case d.Key != "child":
				others.Store(d.Key, true)
			case !parent.Load():
				tries.Add(1)
				return fmt.Errorf("apply: %w", errNoParent)
			default:
				children.Add(1)
			}
			return nil
		})
		publish(t, l, user("child", 1))
		publish(t, l, user("child", 2))
		l.eventually("a few tries", func() error {
			if dead.Load() > 0 {
				t.Fatal("a dead letter")
			}
			if tries.Load() < 5 {
				return fmt.Errorf("%d", tries.Load())
			}
			return nil
		})
		l.feed(0, 200, func(n int) string { return "other" + strconv.Itoa(n) })
		l.eventually("the others", func() error {
			n := 0
			others.Range(func(any, any) bool { n++; return true })
			return count("others", n, 200)
		})
		l.eventually("many tries", func() error {
			if state := i.sub.State(); state != (replhub.SubscriberState{}) {
				t.Fatalf("an outage: %+v", state)
			}
			if tries.Load() < 20 {
				return fmt.Errorf("%d", tries.Load())
			}
			return nil
		})
		if w := i.sub.Waiting(); w.ForRow != 1 || w.ForUnique != 0 || w.Since.IsZero() {
			t.Errorf("the first child waits, and %+v is told", w)
		}
		publish(t, l, user("parent", 3))
		l.eventually("the children", func() error { return count("children", int(children.Load()), 2) })
		l.eventually("none to wait", func() error { return count("waiting", i.sub.Waiting().ForRow, 0) })
		deadLetters(t, l, 0)
	})
}

// One whose parent does not come becomes a dead letter that says why, and its key
// goes on.
func TestWaitIsBounded(t *testing.T) {
	eachHandler(t, func(t *testing.T, queue replhub.Queue, start func(*lab, replhub.SubscriberConfig, replhub.HandlerFunc) *instance) {
		l := newLab(t)
		l.startHub()
		sub := quick(queue)
		sub.MaxWait = 100 * time.Millisecond
		var tries atomic.Int32
		second := make(chan struct{})
		start(l, sub, func(_ context.Context, d *replhub.Delivery) error {
			if string(d.Data) == "1" {
				tries.Add(1)
				return errNoParent
			}
			close(second)
			return nil
		})
		publish(t, l, user("child", 1))
		l.eventually("a try", func() error {
			if tries.Load() == 0 {
				return errors.New("none")
			}
			return nil
		})
		publish(t, l, user("child", 2))
		<-second
		dlq, err := l.js().Stream(t.Context(), "DLQ")
		if err != nil {
			t.Fatal(err)
		}
		letter, err := dlq.GetMsg(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := letter.Header.Get(contract.HeaderReason); got != "waits" {
			t.Errorf("reason %q", got)
		}
		if got := letter.Header.Get(contract.HeaderError); !strings.Contains(got, "child_parent_fkey") {
			t.Errorf("error %q", got)
		}
		// A batch of both events of the key is another try of the same attempt.
		if n, err := strconv.Atoi(letter.Header.Get(contract.HeaderAttempts)); err != nil || n < 4 || n > int(tries.Load()) {
			t.Errorf("%d attempts, and %d tries, %v", n, tries.Load(), err)
		}
	})
}

// More children than a server gives at a time do not keep their parent from coming:
// some become dead letters, and come back by themselves.
func TestChildrenThatCrowdTheirParentOut(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			queue.Partitions = min(queue.Partitions, 1)
			l.register("sharing", users(queue))
			fewAtATime(t, l, 20)
			l.feed(0, 60, func(n int) string { return "child" + strconv.Itoa(n) })
			publish(t, l, user("parent", 0))
			var parent, held atomic.Bool
			held.Store(true)
			var children sync.Map
			i := l.instance("sharing", quick(replhub.Queue{}), func(_ context.Context, d *replhub.Delivery) error {
				switch {
				case d.Key == "parent":
					parent.Store(true)
				case held.Load() || !parent.Load():
					return errNoParent
				default:
					children.Store(d.Key, true)
				}
				return nil
			})
			l.eventually("the parent", func() error {
				if !parent.Load() {
					return fmt.Errorf("%d in flight", i.sub.InFlight())
				}
				return nil
			})
			held.Store(false)
			l.eventually("the children", func() error {
				n := 0
				children.Range(func(any, any) bool { n++; return true })
				return count("children", n, 60)
			})
			l.eventually("no dead letters", func() error {
				dlq, err := l.js().Stream(t.Context(), "DLQ")
				if err != nil {
					return err
				}
				return count("dead letters", int(dlq.CachedInfo().State.Msgs), 0)
			})
		})
	}
}

// fewAtATime has the server give at most n unacknowledged events.
func fewAtATime(t *testing.T, l *lab, n int) {
	t.Helper()
	js := l.js()
	for consumer := range consumersOf(t, js) {
		consumer.Config.MaxAckPending = n
		if _, err := js.UpdateConsumer(t.Context(), "SUB_sharing", consumer.Config); err != nil {
			t.Fatal(err)
		}
	}
}

func consumersOf(t *testing.T, js jetstream.JetStream) <-chan *jetstream.ConsumerInfo {
	t.Helper()
	stream, err := js.Stream(t.Context(), "SUB_sharing")
	if err != nil {
		t.Fatal(err)
	}
	return stream.ListConsumers(t.Context()).Info()
}
