package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// NATSCluster is a cluster of nats-servers with JetStream.
type NATSCluster struct {
	// Nodes are the servers, by name "n1" and so on. Each may be stopped,
	// killed or paused by itself.
	Nodes []*NATS
	tb    testing.TB
}

// StartNATSCluster runs a cluster of that size until the test ends, and
// returns once every node has JetStream and the leader knows every node. Stores of nodes
// are their own: NATSStoreDir is refused.
func StartNATSCluster(tb testing.TB, size int, opts ...NATSOption) *NATSCluster {
	tb.Helper()
	c := &NATSCluster{tb: tb}
	var routes []string
	for i := range size {
		n := newNATS(tb, fmt.Sprintf("n%d", i+1), opts)
		n.cfg.node(i)
		if n.cfg.storeDir != "" {
			tb.Fatal("start a nats cluster: its nodes cannot share one store folder")
		}
		n.reservePorts()
		n.routePort = reservePort(tb)
		routes = append(routes, fmt.Sprintf("%q", "nats-route://"+loopback(n.routePort)))
		c.Nodes = append(c.Nodes, n)
	}
	for _, n := range c.Nodes {
		n.routes = routes
	}
	c.Start()
	return c
}

// URL lists all nodes, as clients take it.
func (c *NATSCluster) URL() string {
	urls := make([]string, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		urls = append(urls, n.URL())
	}
	return strings.Join(urls, ",")
}

// Node returns the node of that name, as JetStream reports leaders; nil when
// there is none.
func (c *NATSCluster) Node(name string) *NATS {
	for _, n := range c.Nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// Start runs every node that does not run, and returns once all are ready.
func (c *NATSCluster) Start() {
	c.tb.Helper()
	// All at first: a node alone has no quorum and is never ready.
	for _, n := range c.Nodes {
		if n.Running() {
			continue
		}
		if err := n.spawn(); err != nil {
			c.tb.Fatalf("start nats-server %s: %v", n.name, err)
		}
	}
	c.WaitReady()
}

// WaitReady returns once every node is ready, and the leader can place streams
// on every node: two of three elect one before the third has been heard.
func (c *NATSCluster) WaitReady() {
	c.tb.Helper()
	for _, n := range c.Nodes {
		n.WaitReady()
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for !c.leaderKnowsAll(ctx) {
		select {
		case <-ctx.Done():
			c.tb.Fatalf("the leader does not know all %d nodes after %s", len(c.Nodes), readyTimeout)
		case <-poll.C:
		}
	}
}

// MetaLeader returns the node that leads the cluster's meta layer, or nil while
// none does.
func (c *NATSCluster) MetaLeader(ctx context.Context) *NATS {
	for _, n := range c.Nodes {
		if meta, err := n.meta(ctx); err == nil && meta.Leader == n.name {
			return n
		}
	}
	return nil
}

// leaderKnowsAll asks the leader whom it follows with.
func (c *NATSCluster) leaderKnowsAll(ctx context.Context) bool {
	leader := c.MetaLeader(ctx)
	if leader == nil {
		return false
	}
	meta, err := leader.meta(ctx)
	if err != nil || meta.Leader != leader.name {
		return false
	}
	known := 1
	for _, r := range meta.Replicas {
		if r.Current && !r.Offline {
			known++
		}
	}
	return known == len(c.Nodes)
}

// metaCluster is what a node says of the meta layer.
type metaCluster struct {
	Leader   string `json:"leader"`
	Replicas []struct {
		Current bool `json:"current"`
		Offline bool `json:"offline"`
	} `json:"replicas"`
}

func (n *NATS) meta(ctx context.Context) (metaCluster, error) {
	var js struct {
		Meta metaCluster `json:"meta_cluster"`
	}
	err := n.monitor(ctx, "/jsz", &js)
	return js.Meta, err
}

// Kill kills all nodes (SIGKILL), one after the other.
func (c *NATSCluster) Kill() {
	c.tb.Helper()
	for _, n := range c.Nodes {
		n.Kill()
	}
}

// Stop ends all nodes in good order, one after the other.
func (c *NATSCluster) Stop() {
	c.tb.Helper()
	for _, n := range c.Nodes {
		n.Stop()
	}
}
