package replhub

import (
	"sync"

	"github.com/nats-io/nats.go"
)

// reconnects tells when a connection was lost and is back: an answer that was awaited
// before may never come.
type reconnects struct {
	nc       *nats.Conn
	statuses chan nats.Status
	done     chan struct{} // closed when the watcher has ended

	mu   sync.Mutex    // guards back
	back chan struct{} // closed at the next reconnect
}

func newReconnects(nc *nats.Conn) *reconnects {
	r := &reconnects{nc: nc, statuses: nc.StatusChanged(nats.CONNECTED), done: make(chan struct{}), back: make(chan struct{})}
	go r.watch()
	return r
}

func (r *reconnects) watch() {
	defer close(r.done)
	for range r.statuses {
		r.mu.Lock()
		close(r.back)
		r.back = make(chan struct{})
		r.mu.Unlock()
	}
}

// next returns a channel that is closed at the next reconnect.
func (r *reconnects) next() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.back
}

// close ends the watcher and waits for it.
func (r *reconnects) close() {
	r.nc.RemoveStatusListener(r.statuses)
	<-r.done
}
