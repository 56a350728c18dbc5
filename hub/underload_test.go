package hub_test

import (
	"fmt"
)

// load publishes events from a number on until stop is called, which returns the number of
// the next one. Each is published until it is acknowledged.
func (w *world) load(from int) (stop func() int) {
	done, ended := make(chan struct{}), make(chan int)
	go func() {
		n := from
		defer func() { ended <- n }()
		for {
			select {
			case <-done:
				return
			default:
			}
			if w.publishOnce(fmt.Sprintf("id-%d", n), "db.user.update", fmt.Sprintf(`{"id":"%d"}`, n)) == nil {
				n++
			}
		}
	}()
	return func() int {
		close(done)
		return <-ended
	}
}
