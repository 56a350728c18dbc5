package replhub_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

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
		l.eventually("the end to be logged", func() error { return count("ends", l.log.times("goes on"), n+1) })
		logged(t, l.log, n+1, n+1)
	}
}

func logged(t *testing.T, log *recorder, begins, ends int) {
	t.Helper()
	if b, e := log.times("that the handlers need is away"), log.times("what the handlers need is back"); b != begins || e != ends {
		t.Errorf("%d begins and %d ends are logged, want %d and %d", b, e, begins, ends)
	}
}
