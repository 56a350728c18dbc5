package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// noteAll notes a batch that is handled as a whole, or not at all.
func (r *book) noteAll(who string, batch []*replhub.Delivery) {
	for _, d := range batch {
		r.begin(who, d)()
	}
}

// A batch is what waits, each key's in order and in one batch at a time.
func TestBatches(t *testing.T) {
	for name, queue := range orders {
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				l := newLab(t)
				l.startHub()
				l.register("sharing", users(queue))
				l.feed(0, 3000, keyed(50))
				rec := newBook()
				var largest atomic.Int64
				i := l.batches("sharing", replhub.SubscriberConfig{Workers: workers, MaxBatch: 200}, func(_ context.Context, batch []*replhub.Delivery) error {
					largest.Store(max(largest.Load(), int64(len(batch))))
					keys := map[string]func(){}
					for _, d := range batch {
						if end := keys[d.Key]; end != nil {
							end()
						}
						keys[d.Key] = rec.begin("", d)
					}
					for _, end := range keys {
						end()
					}
					return nil
				})
				l.eventually("all events", func() error { total, _ := rec.counts(); return count("events", total, 3000) })
				if err := i.stop(); err != nil {
					t.Error(err)
				}
				rec.check(t)
				if _, repeats := rec.counts(); repeats > 0 {
					t.Errorf("%d events were handled twice", repeats)
				}
				if n := largest.Load(); n < 25 || n > 200 {
					t.Errorf("the largest batch had %d", n)
				}
				l.eventually("the last acknowledgements", func() error {
					var status contract.LaneStatus
					l.ask("replhub.describe.sharing", &status)
					return count("events in the backlog", int(status.Backlog), 0)
				})
			})
		}
	}
}

// One that fails is found and has its own way; the others are done, those of its
// key behind it.
func TestOneOfABatchFails(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  func(alone int) error
		letters int
		reason  string
	}{
		"for a while": {answer: func(alone int) error {
			if alone > 2 {
				return nil
			}
			return errors.New("not now")
		}},
		"always":      {answer: func(int) error { return errors.New("never") }, letters: 1, reason: "failed"},
		"parked":      {answer: func(int) error { return replhub.Park(errors.New("no")) }, letters: 1, reason: "parked"},
		"a value":     {answer: func(int) error { return errors.New("(SQLSTATE 22001)") }, letters: 1, reason: "invalid"},
		"panic":       {answer: func(int) error { panic("at the disco") }, letters: 1, reason: "failed"},
		"unavailable": {answer: func(int) error { return replhub.Unavailable(nil) }, letters: 1, reason: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			l.register("sharing", users(orders["none"]))
			l.feed(0, 400, keyed(100))
			rec := newBook()
			var alone atomic.Int32
			sub := quick(replhub.Queue{})
			sub.Registration, sub.MaxInFlight, sub.Workers = replhub.Registration{}, 0, 2
			sub.MaxAttempts = 4
			i := l.batches("sharing", sub, func(_ context.Context, batch []*replhub.Delivery) error {
				for _, d := range batch {
					if string(d.Data) != "150" {
						continue
					}
					if len(batch) == 1 {
						alone.Add(1)
					}
					if err := tt.answer(int(alone.Load())); err != nil {
						return err
					}
				}
				rec.noteAll("", batch)
				return nil
			})
			fed := 400
			l.eventually("the dead letters", func() error {
				if name == "unavailable" { // what shows that it is its own are others
					l.feed(fed, fed+7, keyed(7))
					fed += 7
				}
				var status contract.LaneStatus
				l.ask("replhub.describe.sharing", &status)
				return count("dead letters", int(status.DeadLetters), tt.letters)
			})
			l.eventually("all", func() error { total, _ := rec.counts(); return count("events", total, fed-tt.letters) })
			if err := i.stop(); err != nil {
				t.Error(err)
			}
			rec.check(t)
			if _, repeats := rec.counts(); repeats > 0 {
				t.Errorf("%d events were handled twice", repeats)
			}
			if tt.letters > 0 {
				dlq, err := l.js().Stream(t.Context(), "DLQ")
				if err != nil {
					t.Fatal(err)
				}
				m, err := dlq.GetMsg(t.Context(), 1)
				if err != nil || string(m.Data) != "150" || m.Header.Get("Replhub-Reason") != tt.reason {
					t.Errorf("letter %v, %v", m, err)
				}
			}
		})
	}
}

// An outage lets a batch wait as a whole: it is not taken apart, and nothing is
// used up.
func TestOutageWithBatches(t *testing.T) {
	l := newLab(t)
	l.startHub()
	rec := newBook()
	var lost atomic.Bool
	var calls atomic.Int32
	lost.Store(true)
	sub := quick(orders["key"])
	sub.MaxInFlight = 0
	i := l.batches("sharing", sub, func(_ context.Context, batch []*replhub.Delivery) error {
		if lost.Load() {
			calls.Add(1)
			return errors.New("dial tcp 10.0.0.5:5432: connect: connection refused")
		}
		rec.noteAll("", batch)
		return nil
	})
	l.feed(0, 400, keyed(40))
	l.eventually("an outage of many attempts", func() error {
		if state := i.sub.State(); state.Attempts < 20 {
			return fmt.Errorf("%+v", state)
		}
		return nil
	})
	if had, state := int(calls.Load()), i.sub.State(); had > state.Attempts+200 {
		t.Errorf("%d calls, of which %d count: what waits was taken apart", had, state.Attempts)
	}
	lost.Store(false)
	l.eventually("all", func() error { total, _ := rec.counts(); return count("events", total, 400) })
	rec.check(t)
	deadLetters(t, l, 0)
}

// What a killed instance had in a batch comes to the next one, in order.
func TestBatchOfAKilledInstance(t *testing.T) {
	l := newLab(t)
	l.startHub()
	queue := replhub.Queue{Order: replhub.OrderKey, Partitions: 2, AckWait: time.Second}
	rec := newBook()
	begun := make(chan struct{})
	var once atomic.Bool
	sub := replhub.SubscriberConfig{Registration: users(queue), Instance: "one", Workers: 1, DrainTimeout: time.Millisecond}
	first := l.batches("sharing", sub, func(ctx context.Context, batch []*replhub.Delivery) error {
		if len(batch) > 1 && once.CompareAndSwap(false, true) {
			close(begun)
		}
		if once.Load() {
			<-ctx.Done()
			return ctx.Err()
		}
		rec.noteAll("one", batch)
		return nil
	})
	l.feed(0, 300, keyed(30))
	<-begun
	first.kill()
	sub.Instance = "two"
	l.batches("sharing", sub, func(_ context.Context, batch []*replhub.Delivery) error {
		rec.noteAll("two", batch)
		return nil
	})
	l.eventually("all", func() error { total, _ := rec.counts(); return count("events", total, 300) })
	rec.check(t)
}

// A batch that is under way at the end is finished; what has not begun is given back.
func TestDrainFinishesABatch(t *testing.T) {
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.startHub()
			l.register("sharing", users(queue))
			l.feed(0, 300, keyed(30))
			begun, finish := make(chan int, 1), make(chan struct{})
			i := l.batches("sharing", replhub.SubscriberConfig{Workers: 1, MaxBatch: 10}, func(_ context.Context, batch []*replhub.Delivery) error {
				begun <- len(batch)
				<-finish
				return nil
			})
			n := <-begun
			stopped := make(chan error, 1)
			go func() { stopped <- i.stop() }()
			l.eventually("what was given back", func() error { return count("in flight", i.sub.InFlight(), n) })
			close(finish)
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			rec := newBook()
			l.batches("sharing", replhub.SubscriberConfig{}, func(_ context.Context, batch []*replhub.Delivery) error {
				rec.noteAll("", batch)
				return nil
			})
			l.eventually("the rest", func() error { total, _ := rec.counts(); return count("events", total, 300-n) })
		})
	}
}

func TestBatchSubscriberIsChecked(t *testing.T) {
	l := newLab(t)
	client := l.client(func(c *replhub.Config) { c.Service = "sharing" })
	handler := replhub.BatchHandlerFunc(func(context.Context, []*replhub.Delivery) error { return nil })
	for want, create := range map[string]func() (*replhub.Subscriber, error){
		"handler is missing": func() (*replhub.Subscriber, error) {
			return replhub.NewBatchSubscriber(client, replhub.SubscriberConfig{}, nil)
		},
		"wrap HandleBatch": func() (*replhub.Subscriber, error) {
			return replhub.NewBatchSubscriber(client, replhub.SubscriberConfig{Middleware: []replhub.Middleware{nil}}, handler)
		},
		"MaxBatch -1": func() (*replhub.Subscriber, error) {
			return replhub.NewBatchSubscriber(client, replhub.SubscriberConfig{MaxBatch: -1}, handler)
		},
		replhub.ErrNoService.Error(): func() (*replhub.Subscriber, error) {
			return replhub.NewBatchSubscriber(l.client(), replhub.SubscriberConfig{}, handler)
		},
	} {
		if _, err := create(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func (l *lab) register(service string, r replhub.Registration) {
	l.t.Helper()
	if _, err := l.client(func(c *replhub.Config) { c.Service = service }).Register(l.t.Context(), r); err != nil {
		l.t.Fatal(err)
	}
}

// What is behind a failing one of its key, in its batch or not, waits for it.
func TestFailingKeyOfABatchKeepsItsOrder(t *testing.T) {
	l := newLab(t)
	l.startHub()
	l.register("sharing", users(orders["key"]))
	l.feed(0, 400, keyed(8))
	rec := newBook()
	var failures atomic.Int32
	sub := quick(replhub.Queue{})
	sub.Registration, sub.MaxInFlight, sub.MaxAttempts = replhub.Registration{}, 0, 100
	l.batches("sharing", sub, func(_ context.Context, batch []*replhub.Delivery) error {
		for _, d := range batch {
			if n := string(d.Data); (n == "42" || n == "83" || n == "90") && failures.Add(1) < 40 {
				return errors.New("not now")
			}
		}
		rec.noteAll("", batch)
		return nil
	})
	l.eventually("all", func() error { total, _ := rec.counts(); return count("events", total, 400) })
	rec.check(t)
	if _, repeats := rec.counts(); repeats > 0 {
		t.Errorf("%d events were handled twice", repeats)
	}
}
