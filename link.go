package replhub

import (
	"sync"

	"github.com/nats-io/nats.go"
)

// link tells when a connection was lost and is back: an answer that was awaited
// meanwhile may never come.
type link struct {
	nc       *nats.Conn
	statuses chan nats.Status
	done     chan struct{} // closed when the watcher has ended

	mu   sync.Mutex    // guards back
	back chan struct{} // closed at the next reconnect
}

func newLink(nc *nats.Conn) *link {
	l := &link{nc: nc, statuses: nc.StatusChanged(nats.CONNECTED), done: make(chan struct{}), back: make(chan struct{})}
	go l.watch()
	return l
}

func (l *link) watch() {
	defer close(l.done)
	for range l.statuses {
		l.mu.Lock()
		close(l.back)
		l.back = make(chan struct{})
		l.mu.Unlock()
	}
}

// reconnected is closed at the next reconnect.
func (l *link) reconnected() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back
}

// close ends the watcher and waits for it.
func (l *link) close() {
	l.nc.RemoveStatusListener(l.statuses)
	<-l.done
}
