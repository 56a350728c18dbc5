package replhub

import (
	"context"
	"sync"
)

// rowKey is what order is kept for.
type rowKey struct{ entity, key string }

// keyOrder publishes the events of one row one after the other, in the order in which
// they entered. Events of other rows do not wait. The zero keyOrder works.
type keyOrder struct {
	mu    sync.Mutex // guards lines
	lines map[rowKey][]*place
}

// place is one event's place in its row's line.
type place struct {
	order *keyOrder
	row   rowKey
	first chan struct{} // closed when it is the first
}

// enter takes the last place. A row without a key has no order and gives nil,
// on which wait and leave do nothing.
func (o *keyOrder) enter(row rowKey) *place {
	if row.key == "" {
		return nil
	}
	p := &place{order: o, row: row, first: make(chan struct{})}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines == nil {
		o.lines = make(map[rowKey][]*place)
	}
	o.lines[row] = append(o.lines[row], p)
	if len(o.lines[row]) == 1 {
		close(p.first)
	}
	return p
}

// wait returns when all earlier events of the row have left.
func (p *place) wait(ctx context.Context, closed <-chan struct{}) error {
	if p == nil {
		return nil
	}
	select {
	case <-p.first:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-closed:
		return ErrClosed
	}
}

// leave gives the place up. The place need not be the first.
func (p *place) leave() {
	if p == nil {
		return
	}
	o := p.order
	o.mu.Lock()
	defer o.mu.Unlock()
	line := o.lines[p.row]
	for i, other := range line {
		if other != p {
			continue
		}
		line = append(line[:i], line[i+1:]...)
		if i == 0 && len(line) > 0 {
			close(line[0].first)
		}
		break
	}
	if len(line) == 0 {
		delete(o.lines, p.row)
		return
	}
	o.lines[p.row] = line
}
