package replhub

import (
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// replies hands the answers on one wildcard subscription to their waiters. nats.go's
// own requests do the same, but continue to wait when the connection is lost.
type replies struct {
	nc     *nats.Conn
	prefix string
	sub    *nats.Subscription

	mu      sync.Mutex // guards what follows
	last    uint64
	waiting map[string]chan *nats.Msg
}

func newReplies(nc *nats.Conn) (*replies, error) {
	r := &replies{nc: nc, prefix: nc.NewInbox() + ".", waiting: make(map[string]chan *nats.Msg)}
	sub, err := nc.Subscribe(r.prefix+"*", r.take)
	if err != nil {
		return nil, err
	}
	r.sub = sub
	return r, nil
}

// await makes a reply subject and the channel for its first answer. The caller ends
// the wait with forget.
func (r *replies) await() (subject string, answer <-chan *nats.Msg) {
	ch := make(chan *nats.Msg, 1)
	r.mu.Lock()
	r.last++
	subject = r.prefix + strconv.FormatUint(r.last, 36)
	r.waiting[subject] = ch
	r.mu.Unlock()
	return subject, ch
}

func (r *replies) forget(subject string) {
	r.mu.Lock()
	delete(r.waiting, subject)
	r.mu.Unlock()
}

func (r *replies) take(m *nats.Msg) {
	r.mu.Lock()
	ch := r.waiting[m.Subject]
	delete(r.waiting, m.Subject)
	r.mu.Unlock()
	if ch != nil {
		ch <- m // room for the one answer
	}
}

func (r *replies) close() {
	// It fails only where the connection is closed, which also ends the subscription.
	_ = r.sub.Unsubscribe()
}
