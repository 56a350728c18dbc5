//go:build long

package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// pair are two hubs that share the lanes s and k.
func (w *world) pair() {
	w.t.Helper()
	for _, id := range []string{"one", "two"} {
		w.startHub(func(c *hub.Config) { c.ID = id; soonStuck(c) })
	}
	w.register("s", `{"entities":["user"]}`)
	w.register("k", `{"entities":["user"],"queue":{"order":"key","partitions":2}}`)
	w.replicated(3)
}

// Each server is told to leave its clients, ends, and starts again, under load.
func TestLameDucks(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 3, cluster.NATSConfig("lame_duck_grace_period: 200ms\nlame_duck_duration: 30s"))
	w := clusterWorld(t, servers)
	w.pair()
	stop := w.load(0)
	began := time.Now()
	for _, node := range servers.Nodes {
		node.LameDuck()
		node.Start()
		w.replicated(3)
	}
	took := time.Since(began)
	n := stop()
	for _, service := range []string{"s", "k"} {
		checkSequences(t, service, w.copies(service, n), 1)
	}
	t.Logf("CLUSTER lame ducks: 3 servers in %s, %d events, 0 lost, 0 repeated", took.Round(time.Millisecond), n)
}

// A node is evacuated: its replicas of every stream go to another one, under load, and then
// back.
func TestNodeIsEvacuated(t *testing.T) {
	t.Parallel()
	servers := cluster.StartNATSCluster(t, 4)
	w := clusterWorld(t, servers)
	w.pair()
	stop := w.load(0)
	began := time.Now()
	moved := 0
	for _, node := range servers.Nodes {
		for _, name := range w.streams() {
			w.eventually(name+" off "+node.Name(), func() error {
				on, err := w.lies(name, node.Name())
				if err != nil || !on {
					return err
				}
				moved++
				return w.removePeer(name, node.Name())
			})
		}
		for _, name := range w.streams() {
			w.eventually(name+" off "+node.Name(), func() error {
				on, err := w.lies(name, node.Name())
				if err == nil && on {
					err = errors.New("it is there")
				}
				return err
			})
		}
		w.replicated(3)
	}
	took := time.Since(began)
	n := stop()
	for _, service := range []string{"s", "k"} {
		checkSequences(t, service, w.copies(service, n), 1)
	}
	t.Logf("CLUSTER evacuations: %d replicas of streams moved in %s, %d events, 0 lost, 0 repeated", moved, took.Round(time.Millisecond), n)
}

// lies reports whether a server has a replica of a stream.
func (w *world) lies(name, server string) (bool, error) {
	s, err := w.js.Stream(w.t.Context(), name)
	if err != nil {
		return false, err
	}
	c := s.CachedInfo().Cluster
	on := c.Leader == server
	for _, r := range c.Replicas {
		on = on || r.Name == server
	}
	return on, nil
}

func (w *world) removePeer(stream, server string) error {
	m, err := w.nc.Request("$JS.API.STREAM.PEER.REMOVE."+stream, fmt.Appendf(nil, `{"peer":%q}`, server), 5*time.Second)
	if err != nil {
		return err
	}
	var reply struct {
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return err
	}
	if reply.Error != nil {
		return errors.New(reply.Error.Description)
	}
	return nil
}
