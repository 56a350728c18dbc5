//go:build long

package engine_test

import (
	"testing"

	"github.com/replhub/replhub/internal/testenv/cluster"
)

// killRounds is how often TestKills kills something.
const killRounds = 400

// Each change is stored once and in commit order also on a replicated stream, whose leader
// changes.
func TestKillsOnACluster(t *testing.T) {
	hubs := cluster.StartNATSCluster(t, 3)
	killing(t, 100, hubs.URL(), 3, func(i int) *cluster.NATS { return hubs.Nodes[i%3] })
}
