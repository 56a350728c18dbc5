package replhub

import (
	"context"
	"sync"
)

// rowKey is what order is kept for.
type rowKey struct{ entity, key string }

// turns lets the events of one row go one after the other, in the order in
// which they joined, while those of other rows go on. The zero turns works.
type turns struct {
	mu     sync.Mutex // guards queues
	queues map[rowKey][]*turn
}

// turn is one event's place in its row's queue.
type turn struct {
	turns *turns
	row   rowKey
	ready chan struct{} // closed when it is first
}

// join takes the last place. A row without a key has no order and gives nil,
// on which wait and leave do nothing.
func (t *turns) join(row rowKey) *turn {
	if row.key == "" {
		return nil
	}
	own := &turn{turns: t, row: row, ready: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queues == nil {
		t.queues = make(map[rowKey][]*turn)
	}
	t.queues[row] = append(t.queues[row], own)
	if len(t.queues[row]) == 1 {
		close(own.ready)
	}
	return own
}

// wait returns when all who joined before have left.
func (own *turn) wait(ctx context.Context, closed <-chan struct{}) error {
	if own == nil {
		return nil
	}
	select {
	case <-own.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-closed:
		return ErrClosed
	}
}

// leave gives the place up, whether it was waited for to the end or not.
func (own *turn) leave() {
	if own == nil {
		return
	}
	t := own.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queues[own.row]
	for i, other := range queue {
		if other != own {
			continue
		}
		queue = append(queue[:i], queue[i+1:]...)
		if i == 0 && len(queue) > 0 {
			close(queue[0].ready)
		}
		break
	}
	if len(queue) == 0 {
		delete(t.queues, own.row)
		return
	}
	t.queues[own.row] = queue
}
