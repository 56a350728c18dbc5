package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Ensemble is several ZooKeeper servers that agree. Members can be stopped,
// killed and paused one by one.
type Ensemble struct {
	tb testing.TB
	// Members have the ids 1, 2, …
	Members []*ZooKeeper
}

// StartEnsemble starts n servers and waits until every server serves. They are
// stopped, and their folders removed, when the test ends.
func StartEnsemble(tb testing.TB, n int, opts ...ZooKeeperOption) *Ensemble {
	tb.Helper()
	e := &Ensemble{tb: tb}
	for i := range n {
		e.Members = append(e.Members, newZooKeeper(tb, i+1, opts))
	}
	for _, z := range e.Members {
		z.config = z.baseConfig() + e.peers(z)
	}
	e.Start()
	return e
}

// peers is the part of a member's configuration that names all members.
func (e *Ensemble) peers(from *ZooKeeper) string {
	var b strings.Builder
	for _, to := range e.Members {
		addr := loopback(to.ports.quorum)
		if link := from.opts.link; link != nil && from != to {
			addr = link(from.id, to.id, addr)
		}
		fmt.Fprintf(&b, "server.%d=%s:%d\n", to.id, addr, to.ports.election)
	}
	return b.String()
}

// Servers returns the addresses of all members for clients.
func (e *Ensemble) Servers() []string {
	var all []string
	for _, z := range e.Members {
		all = append(all, z.Servers()...)
	}
	return all
}

// Start starts every stopped member and waits until all serve.
func (e *Ensemble) Start() {
	e.tb.Helper()
	for _, z := range e.Members {
		if z.proc == nil {
			z.launch()
		}
	}
	for _, z := range e.Members {
		z.AwaitServing()
	}
}

// Launch starts a stopped member without waiting until it serves: alone it
// has no quorum.
func (e *Ensemble) Launch(z *ZooKeeper) { e.tb.Helper(); z.launch() }

// Stop stops every member; the data stays.
func (e *Ensemble) Stop() {
	for _, z := range e.Members {
		z.Stop()
	}
}

// Kill kills every member; the data stays.
func (e *Ensemble) Kill() {
	for _, z := range e.Members {
		z.Kill()
	}
}

// Wipe removes the data of every member; all must be stopped.
func (e *Ensemble) Wipe() {
	for _, z := range e.Members {
		z.Wipe()
	}
}

// Leader returns the member that leads now, nil while there is none.
func (e *Ensemble) Leader() *ZooKeeper {
	for _, z := range e.Members {
		if z.proc != nil && z.Mode() == "leader" {
			return z
		}
	}
	return nil
}

// AwaitLeader waits until a member leads and returns it.
func (e *Ensemble) AwaitLeader() *ZooKeeper {
	e.tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(zkReadyWithin); time.Now().Before(deadline); <-tick.C {
		if z := e.Leader(); z != nil {
			return z
		}
	}
	e.tb.Fatalf("no ZooKeeper leads after %v", zkReadyWithin)
	return nil
}

// Follower returns a member that follows now, nil while there is none.
func (e *Ensemble) Follower() *ZooKeeper {
	for _, z := range e.Members {
		if z.proc != nil && z.Mode() == "follower" {
			return z
		}
	}
	return nil
}
