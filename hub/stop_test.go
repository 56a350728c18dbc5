package hub_test

import (
	"sync"
	"testing"
	"time"
)

// A request that arrives while a hub stops is answered: by that hub, or by another.
func TestRequestsWhileAHubStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startHub()
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 16 {
		nc := w.connect()
		asking.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if _, err := nc.Request("replhub.who", []byte(`{"entity":"user"}`), 10*time.Second); err != nil {
					t.Errorf("request %d: %v", n, err)
					return
				}
			}
		})
	}
	for range 150 {
		w.startHub()()
	}
	close(done)
	asking.Wait()
}
