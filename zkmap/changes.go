package zkmap

import (
	"sync"

	"github.com/go-zookeeper/zk"
)

// gone says which watches of a znode have fired, and so are no more.
type gone struct{ data, children bool }

// changes gathers the watches that fired, by znode, until they are taken: ten
// changes of one znode are one entry. It never blocks.
type changes struct {
	wake chan struct{} // holds one token while there is something to take

	mu    sync.Mutex // guards below
	fired map[string]gone
}

func newChanges() *changes {
	return &changes{wake: make(chan struct{}, 1), fired: map[string]gone{}}
}

func (c *changes) add(ev zk.Event) {
	c.mu.Lock()
	g := c.fired[ev.Path]
	switch ev.Type {
	case zk.EventNodeDeleted:
		g = gone{data: true, children: true}
	case zk.EventNodeChildrenChanged:
		g.children = true
	default:
		g.data = true
	}
	c.fired[ev.Path] = g
	c.mu.Unlock()
	c.signal()
}

// touch has a znode read again, without a watch having fired.
func (c *changes) touch(znode string) {
	c.mu.Lock()
	if _, known := c.fired[znode]; !known {
		c.fired[znode] = gone{}
	}
	c.mu.Unlock()
	c.signal()
}

func (c *changes) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take returns the gathered changes and clears them.
func (c *changes) take() map[string]gone {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.fired
	c.fired = map[string]gone{}
	return taken
}
