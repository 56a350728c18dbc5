package replhub_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub"
)

// However many attempts an outage has, it is logged once when it begins and once
// when it ends, and the next one is again.
func TestOutageIsLoggedOnceAtEachEnd(t *testing.T) {
	l := newLab(t)
	l.log = &recorder{}
	l.startHub()
	var away atomic.Bool
	var handled atomic.Int32
	i := l.instance("sharing", quick(orders["key"]), func(context.Context, *replhub.Delivery) error {
		if away.Load() {
			return replhub.Unavailable(errors.New("connection refused"))
		}
		handled.Add(1)
		return nil
	})
	const each = 40
	for n := range 2 {
		away.Store(true)
		l.feed(n*each, (n+1)*each, keyed(20))
		l.eventually("an outage of many attempts", func() error {
			if state := i.sub.State(); !state.Unavailable || state.Attempts < 10 {
				return fmt.Errorf("%+v", state)
			}
			return nil
		})
		logged(t, l.log, n+1, n)
		away.Store(false)
		l.eventually("all to be handled", func() error { return count("handled", int(handled.Load()), (n+1)*each) })
		l.eventually("the end to be logged", func() error { return count("ends", l.log.times("the outage is over"), n+1) })
		logged(t, l.log, n+1, n+1)
	}
}

// An outage also ends with the work queues that it is about, and is logged to do so:
// where they have changed, and the next begins with the next queues, and where the
// instance stops.
func TestOutageEndsWithItsQueues(t *testing.T) {
	t.Parallel()
	for name, queue := range orders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.log = &recorder{}
			l.startHub()
			i := l.instance("sharing", quick(queue), func(context.Context, *replhub.Delivery) error {
				return replhub.Unavailable(errors.New("connection refused"))
			})
			l.feed(0, 10, keyed(10))
			l.eventually("an outage", func() error { return outageAfter(i, time.Time{}) })
			first := i.sub.State().Since
			workers := cmp.Or(map[replhub.Order]string{replhub.OrderKey: "workers-0"}[queue.Order], "workers")
			consumer, err := l.js().Consumer(t.Context(), "SUB_sharing", workers)
			if err != nil {
				t.Fatal(err)
			}
			// A request that stands would announce the consumer's end.
			l.eventually("the last request to be over", func() error {
				info, err := consumer.Info(t.Context())
				if err != nil {
					return err
				}
				return count("requests", info.NumWaiting, 0)
			})
			if err := l.js().DeleteConsumer(t.Context(), "SUB_sharing", workers); err != nil {
				t.Fatal(err)
			}
			l.eventually("the next outage", func() error { return outageAfter(i, first) })
			if n := ends(l.log); n < 1 {
				t.Errorf("%d ends are logged at the begin of the next outage", n)
			}
			if err := i.stop(); err != nil {
				t.Error(err)
			}
			if b, e := l.log.times("that the handlers need is unavailable"), ends(l.log); b < 2 || e != b {
				t.Errorf("after the stop %d begins and %d ends are logged", b, e)
			}
		})
	}
}

// outageAfter is nil during an outage that began after a time.
func outageAfter(i *instance, since time.Time) error {
	if state := i.sub.State(); !state.Unavailable || !state.Since.After(since) {
		return fmt.Errorf("%+v", state)
	}
	return nil
}

// ends is how many ends of outages are logged.
func ends(log *recorder) int {
	return log.times("leaves its work queues during") + log.times("the outage is over")
}

func logged(t *testing.T, log *recorder, begins, ends int) {
	t.Helper()
	if b, e := log.times("that the handlers need is unavailable"), log.times("the outage is over"); b != begins || e != ends {
		t.Errorf("%d begins and %d ends are logged, want %d and %d", b, e, begins, ends)
	}
}
