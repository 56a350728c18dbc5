package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// NATSName names the server; "n1" by default. Servers that leafnodes join need
// different names.
func NATSName(name string) NATSOption {
	return func(c *natsConfig) { c.name = name }
}

// NATSLeafnodes has the server take the connections of leafnodes.
func NATSLeafnodes() NATSOption {
	return func(c *natsConfig) { c.leafnodes = true }
}

// NATSLeafOf has the server connect to another one as its leafnode, with further lines
// for the remote, as in `deny_exports: ["db.>"]`.
func NATSLeafOf(hub *NATS, remote ...string) NATSOption {
	return func(c *natsConfig) { c.remotes = append(c.remotes, leafRemote{hub, remote}) }
}

// leafRemote is a server that this one connects to as its leafnode.
type leafRemote struct {
	hub   *NATS
	lines []string
}

// SetLeafOf is NATSLeafOf from the next start on.
func (n *NATS) SetLeafOf(hub *NATS, remote ...string) { NATSLeafOf(hub, remote...)(&n.cfg) }

// leafnodesText is the configuration's block about leafnodes.
func (c *natsConfig) leafnodesText(n *NATS) string {
	if !c.leafnodes && len(c.remotes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("leafnodes {\n  reconnect: 1s\n")
	if c.leafnodes {
		fmt.Fprintf(&b, "  listen: %q\n", loopback(n.leafPort))
	}
	for _, r := range c.remotes {
		fmt.Fprintf(&b, "  remotes [ {\n    url: %q\n    %s\n  } ]\n", "nats-leaf://"+loopback(r.hub.leafPort), strings.Join(r.lines, "\n    "))
	}
	b.WriteString("}\n")
	return b.String()
}

// AwaitLeaf waits until a leafnode is connected, on either side.
func (n *NATS) AwaitLeaf() {
	n.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		var leafs struct {
			Leafnodes int `json:"leafnodes"`
		}
		err := n.monitor(ctx, "/leafz", &leafs)
		if err == nil && leafs.Leafnodes > 0 {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			n.tb.Fatalf("no leafnode is connected to nats-server %s: %v", n.name, err)
		}
	}
}
