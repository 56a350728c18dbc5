package replhub_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// A request that arrives while an owner's instance ends, or closes its client, is answered: by
// that instance, or by another.
func TestRequestsWhileAnOwnerEnds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	owner := func(c *replhub.Config) { c.Service = "accounts" }
	// serving starts an instance, and returns when the instance has got a request.
	serving := func() (c *replhub.Client, stop func() error) {
		c = l.client(owner)
		asked := make(chan struct{})
		once := sync.OnceFunc(func() { close(asked) })
		stop = l.serve(c, func(context.Context, string, func(replhub.Event) error) error { once(); return nil })
		<-asked
		return c, stop
	}
	l.serve(l.client(owner), numbers(1))
	nc := l.js().Conn()
	l.askRows(nc, contract.SnapshotRequest{})
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 16 {
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if _, err := nc.Request("replhub._snapshot.user", []byte(`{}`), 10*time.Second); err != nil {
					t.Errorf("request %d: %v", n, err)
					return
				}
			}
		})
	}
	for n := range 200 {
		c, stop := serving()
		if n%2 == 0 {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
	close(done)
	asking.Wait()
}
