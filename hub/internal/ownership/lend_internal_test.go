package ownership

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// list is a registry that has records of hubs.
type list struct{ ids []string }

func (l *list) Snapshot() *tree.Snapshot {
	s := &tree.Snapshot{Entries: make(map[string]tree.Entry)}
	for _, id := range l.ids {
		s.Entries[record.HubPath(id)] = tree.Entry{}
	}
	return s
}
func (l *list) Changed() <-chan struct{} { return nil }
func (l *list) Status() tree.Status      { return tree.Status{Connected: true} }
func (l *list) Join(string, []byte)      {}

// group is hubs on one server, each with a registry of its own.
type group struct {
	t        *testing.T
	services []subjects.Name
	hubs     map[string]*Hubs
	registry map[string]*list
	ids      []string
	server   *natstest.Server
}

func newGroup(t *testing.T, lanes int, ids ...string) *group {
	g := &group{t: t, services: services(t, lanes), hubs: make(map[string]*Hubs), registry: make(map[string]*list), ids: ids, server: natstest.Start(t)}
	for _, id := range ids {
		nc := g.connect()
		g.registry[id] = &list{slices.Clone(ids)}
		h := New(Config{Conn: nc, Registry: g.registry[id], ID: id, Logger: slog.New(slog.DiscardHandler)})
		g.hubs[id] = h
		g.listen(nc, h, func(m *nats.Msg) {
			body, err := h.Hear(m.Data)
			if err != nil {
				t.Error(err)
			}
			data, _ := json.Marshal(body)
			_ = m.Respond(data)
		})
	}
	return g
}

func (g *group) connect() *nats.Conn {
	nc, err := nats.Connect(g.server.URL())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

func (g *group) listen(nc *nats.Conn, h *Hubs, answer nats.MsgHandler) {
	if _, err := nc.Subscribe(h.Subject(), answer); err != nil {
		g.t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *group) refresh(ids ...string) {
	for _, id := range ids {
		g.hubs[id].Refresh(g.t.Context(), g.services)
	}
}

// owned returns how many lanes each hub owns by its own account, and fails if a lane has
// no owner, or, with one, more than one.
func (g *group) owned(one bool) map[string]int {
	g.t.Helper()
	count := make(map[string]int)
	for _, s := range g.services {
		var by []string
		for _, id := range g.ids {
			if g.hubs[id].Owns(s) {
				by = append(by, id)
				count[id]++
			}
		}
		if len(by) == 0 || one && len(by) > 1 {
			g.t.Errorf("%s belongs to %v", s, by)
		}
	}
	return count
}

// Hubs lend lanes so that each has its share, and agree about each lane's owner.
func TestLanesAreLent(t *testing.T) {
	g := newGroup(t, 30, "h1", "h2", "h3")
	g.refresh("h1", "h2", "h3")
	g.refresh("h1", "h2", "h3")
	for id, n := range g.owned(true) {
		if n < 9 || n > 11 {
			t.Errorf("%s has %d of 30 lanes", id, n)
		}
	}
	for _, s := range g.services {
		for _, id := range g.ids {
			if a, b := g.hubs["h1"].Owner(s), g.hubs[id].Owner(s); a != b {
				t.Errorf("%s belongs to %s, or to %s", s, a, b)
			}
		}
	}
}

// A hub of a version without loans goes by rendezvous hashing alone, so nobody lends.
func TestNobodyLendsBesideAnOlderHub(t *testing.T) {
	g := newGroup(t, 30, "h1", "h2")
	g.refresh("h1", "h2")
	old := New(Config{ID: "old"})
	nc := g.connect()
	g.listen(nc, old, func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"invalid_value"}}})
	})
	for _, id := range g.ids {
		g.registry[id].ids = append(g.registry[id].ids, "old")
	}
	g.refresh("h1", "h2")
	g.refresh("h1", "h2")
	members := []string{"h1", "h2", "old"}
	for _, s := range g.services {
		for _, id := range g.ids {
			if want, got := ownerOf(s, members), g.hubs[id].Owner(s); got != want {
				t.Errorf("%s: %s says %s, and not %s", s, id, got, want)
			}
		}
	}
}

// No lane is without an owner, whichever hubs know which others.
func TestEveryLaneHasAnOwner(t *testing.T) {
	ids := []string{"h1", "h2", "h3", "h4"}
	g := newGroup(t, 20, ids...)
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		id := ids[random.IntN(len(ids))]
		g.registry[id].ids = slices.DeleteFunc(slices.Clone(ids), func(string) bool { return random.IntN(3) == 0 })
		g.refresh(ids[random.IntN(len(ids))])
		g.owned(false)
	}
}

// A frozen hub keeps its connection and its record. Its lanes go to the others once it has
// been silent for too long, and come back when it answers.
func TestFrozenHubIsNoMember(t *testing.T) {
	const lanes = 12 // of which this hub would lend some
	g := newGroup(t, lanes, "h1")
	g.hubs["h1"].silence = 600 * time.Millisecond
	frozen := New(Config{ID: "frozen"})
	nc := g.connect()
	wakes := false
	g.listen(nc, frozen, func(m *nats.Msg) {
		if wakes {
			_ = m.Respond([]byte(`{"accepted":true}`))
		}
	})
	g.registry["h1"].ids = append(g.registry["h1"].ids, "frozen")
	both, lent := []string{"frozen", "h1"}, false
	for i, want := range [][]string{both, {"h1"}} {
		g.refresh("h1")
		if got := g.hubs["h1"].Members(); !slices.Equal(got, want) {
			t.Errorf("after %d requests the members are %v", i+1, got)
		}
		for s := range balance(g.services, both) {
			if ownerOf(s, both) == "h1" {
				lent = true
				if !g.hubs["h1"].Owns(s) {
					t.Errorf("%s is lent to a hub that has not accepted it", s)
				}
			}
		}
	}
	if !lent {
		t.Error("the test has no lane to lend")
	}
	for _, s := range g.services {
		if !g.hubs["h1"].Owns(s) {
			t.Errorf("%s belongs to the frozen hub", s)
		}
	}
	nc.Barrier(func() { wakes = true })
	g.refresh("h1")
	if got := g.hubs["h1"].Members(); !slices.Equal(got, both) {
		t.Errorf("awake again, the members are %v", got)
	}
}
