package zkmap_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/internal/tree/treetest"
	"github.com/replhub/replhub/zkmap"
)

// TestEnsemble provokes what takes three servers.
func TestEnsemble(t *testing.T) { //nolint:tparallel // as TestAlone
	t.Parallel() // as TestAlone
	t.Run("LaggingMember", laggingMember)
	e := cluster.StartEnsemble(t, 3)
	t.Run("LeaderKilled", func(t *testing.T) { leaderKilled(t, e) })
	t.Run("WithoutQuorum", func(t *testing.T) { withoutQuorum(t, e) })
	t.Run("Wiped", func(t *testing.T) { ensembleWiped(t, e) })
}

// laggingMember: a follower that does not hear its leader answers from the
// past.
func laggingMember(t *testing.T) {
	links := newLinks(t)
	e := cluster.StartEnsemble(t, 3, cluster.WithLink(links.between))
	leader, follower := e.AwaitLeader(), e.Follower()
	cfg := config(t, "/lagging", follower.Servers()...)
	// The follower must keep its clients while it lags.
	cfg.SessionTimeout = 5 * time.Second
	m := start(t, cfg)
	mustPut(t, m, "services/a", "old")
	treetest.Await(t, m, "the record", treetest.Has("services/a", "old"))
	r := dialRaw(t, leader.Servers()...)

	links.freeze()
	defer links.thaw()
	// The other follower hears nothing either; the leader needs one follower.
	links.thawAllBut(follower)
	r.set("/lagging/services/a", "new")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got, err := m.Get(ctx, "services/a"); !errors.Is(err, tree.ErrUnavailable) {
		t.Fatalf("a lagging follower answered: %q, %v", got.Value, err)
	}
	links.thaw()
	got, err := m.Get(t.Context(), "services/a")
	if err != nil || string(got.Value) != "new" {
		t.Fatalf("got %q, %v; want new", got.Value, err)
	}
}

func leaderKilled(t *testing.T, e *cluster.Ensemble) {
	cfg := config(t, "/killed", e.Servers()...)
	m, observer := newMap(t, cfg), start(t, cfg)
	m.Join("hubs/a", []byte("1"))
	treetest.Start(t, m)
	treetest.Await(t, observer, "the member", treetest.Has("hubs/a", "1"))
	for i := range 3 {
		leader := e.AwaitLeader()
		leader.Kill()
		mustPutDespite(t, observer, "services/a", fmt.Sprint(i))
		treetest.Await(t, m, "a change under the next leader", treetest.Has("services/a", fmt.Sprint(i)))
		treetest.Await(t, observer, "the member", treetest.Has("hubs/a", "1"))
		leader.Start()
	}
}

func withoutQuorum(t *testing.T, e *cluster.Ensemble) {
	m := start(t, config(t, "/quorum", e.Servers()...))
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "the record", treetest.Has("services/a", "1"))
	e.Members[0].Stop()
	e.Members[1].Stop()
	treetest.Until(t, "status down", func() bool { return !m.Status().Connected })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m.Put(ctx, "services/a", nil, tree.Any); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("put without quorum: %v", err)
	}
	if !treetest.Has("services/a", "1")(m.Snapshot()) {
		t.Error("the snapshot went with the quorum")
	}
	e.Start()
	mustPutDespite(t, m, "services/a", "2")
	treetest.Await(t, m, "a change with a quorum", treetest.Has("services/a", "2"))
}

func ensembleWiped(t *testing.T, e *cluster.Ensemble) {
	m := start(t, config(t, "/wiped", e.Servers()...))
	mustPut(t, m, "services/a", "1")
	treetest.Await(t, m, "the record", treetest.Has("services/a", "1"))
	e.Stop()
	e.Wipe()
	e.Start()
	treetest.Await(t, m, "the wiped tree", treetest.Lacks("services/a"))
	mustPutDespite(t, m, "services/b", "1")
	treetest.Await(t, m, "a record in the new tree", treetest.Has("services/b", "1"))
}

// mustPutDespite puts until it is done: an election takes a moment, and may
// take the answer.
func mustPutDespite(t *testing.T, m *zkmap.Map, path, value string) {
	t.Helper()
	treetest.Until(t, "a put that succeeds", func() bool {
		_, err := m.Put(t.Context(), path, []byte(value), tree.Any)
		if err != nil && !errors.Is(err, tree.ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
}
