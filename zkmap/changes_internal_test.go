package zkmap

import (
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"
)

// TestChangesNeverBlock: the callback that feeds changes is called with the
// library's locks held. Nobody takes here; were it to block, so would this.
func TestChangesNeverBlock(t *testing.T) {
	c := newChanges()
	for round := range 3 {
		for i := range 10000 {
			c.add(zk.Event{Type: zk.EventNodeDataChanged, Path: fmt.Sprintf("/r/services/s%d", i)})
			c.touch(fmt.Sprintf("/r/services/t%d", round))
		}
	}
	c.add(zk.Event{Type: zk.EventNodeChildrenChanged, Path: "/r/services/s0"})
	select {
	case <-c.wake:
	default:
		t.Fatal("nobody was woken")
	}
	taken := c.take()
	if len(taken) != 10003 {
		t.Errorf("%d znodes, want 10003: changes of one are one", len(taken))
	}
	if got := taken["/r/services/s0"]; got != (gone{data: true, children: true}) {
		t.Errorf("watches gone %+v, want both", got)
	}
	if got := taken["/r/services/t0"]; got != (gone{}) {
		t.Errorf("a touch took watches away: %+v", got)
	}
}
