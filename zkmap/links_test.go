package zkmap_test

import (
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree/treetest"
)

// links are the ways from each member of an ensemble to its leader.
type links struct {
	t   *testing.T
	all map[[2]int]*treetest.Proxy
}

func newLinks(t *testing.T) *links { return &links{t: t, all: map[[2]int]*treetest.Proxy{}} }

// between is for cluster.WithLink.
func (l *links) between(from, to int, addr string) string {
	p := treetest.NewPatientProxy(l.t, addr, 5*time.Second)
	l.all[[2]int{from, to}] = p
	return p.Addr()
}

// freeze holds back what passes between followers and leaders.
func (l *links) freeze() {
	for _, p := range l.all {
		p.Freeze()
	}
}

func (l *links) thaw() {
	for _, p := range l.all {
		p.Thaw()
	}
}

// thawAllBut thaws the links of all members but one.
func (l *links) thawAllBut(z *cluster.ZooKeeper) {
	for ends, p := range l.all {
		if ends[0] != z.ID() {
			p.Thaw()
		}
	}
}
