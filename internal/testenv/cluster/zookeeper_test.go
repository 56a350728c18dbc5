package cluster_test

import (
	"testing"

	"github.com/replhub/replhub/internal/testenv/cluster"
)

func TestZooKeeperStopsAndStarts(t *testing.T) {
	z := cluster.StartZooKeeper(t)
	if got := z.Mode(); got != "standalone" {
		t.Fatalf("mode %q, want standalone", got)
	}
	z.Stop()
	if got := z.Mode(); got != "" {
		t.Fatalf("mode %q after Stop, want none", got)
	}
	copied := z.Snapshot()
	z.Restore(copied)
	z.Start()
	z.Kill()
	z.Wipe()
	z.Start()
}

func TestEnsembleElectsAnotherLeader(t *testing.T) {
	e := cluster.StartEnsemble(t, 3)
	leader := e.AwaitLeader()
	leader.Kill()
	if e.AwaitLeader() == leader {
		t.Fatal("a killed server leads")
	}
	e.Start()
}
