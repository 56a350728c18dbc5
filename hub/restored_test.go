package hub_test

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/kvmap"
)

// A lane's server begins with an older copy of the stream, and another hub appends a state
// record under the sequence that this hub knows as the last one. This hub reads the lane
// before it appends again: each event is there once, and the other hub's record counts.
func TestLaneFromAnOlderCopyIsReadFirst(t *testing.T) {
	w := newWorld(t)
	var line *faultLine
	w.startHub(func(c *hub.Config) { line = w.behindGate(c) })
	w.register("s", `{"entities":["user"]}`)
	w.changes("user", "1")
	w.awaitCopies("s", "user 1")
	w.stopServer()
	older := w.copyLane("s")
	w.startServer()

	// The last message of the lane gets lost.
	w.changes("user", "2")
	w.awaitCopies("s", "user 1", "user 2")
	line.set(false)
	w.stopServer()
	w.putBackLane("s", older)
	w.startServer()
	w.awaitCopies("s", "user 1")
	w.otherHubAdds("s", "tenant")
	w.changes("user", "3")
	line.set(true)
	w.changes("tenant", "4")
	w.awaitCopies("s", "user 1", "user 2", "user 3", "tenant 4")
}

// faultLine is a line to the server that the test can cut.
type faultLine struct {
	to string

	mu     sync.Mutex // guards the rest
	closed bool
	conns  []net.Conn
}

// behindGate gives a hub a connection through a gate.
func (w *world) behindGate(c *hub.Config) *faultLine {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = listener.Close() })
	g := &faultLine{to: strings.TrimPrefix(w.url, "nats://")}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			g.take(near)
		}
	}()
	c.Conn, err = nats.Connect("nats://"+listener.Addr().String(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Conn.Close)
	js, err := jetstream.New(c.Conn)
	if err != nil {
		w.t.Fatal(err)
	}
	if c.Registry, err = kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet(w.t)}); err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (g *faultLine) take(near net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	far, err := net.Dial("tcp", g.to)
	if g.closed || err != nil {
		_ = near.Close()
		if err == nil {
			_ = far.Close()
		}
		return
	}
	g.conns = append(g.conns, near, far)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // until either end is closed
		_ = to.Close()
	}
	go pass(far, near)
	go pass(near, far)
}

// set opens the gate, or closes it and cuts the connections.
func (g *faultLine) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed = !open; g.closed {
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.conns = nil
	}
}

// laneDir is the folder of a lane's stream.
func (w *world) laneDir(service string) string {
	w.t.Helper()
	var found string
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "SUB_"+service {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		w.t.Fatalf("the folder of lane %s: %q, %v", service, found, err)
	}
	return found
}

// copyLane copies the folder of a lane's stream, while the server is stopped.
func (w *world) copyLane(service string) (dir string) {
	w.t.Helper()
	dir = filepath.Join(w.t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(w.laneDir(service))); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

func (w *world) putBackLane(service, dir string) {
	w.t.Helper()
	at := w.laneDir(service)
	if err := os.RemoveAll(at); err != nil {
		w.t.Fatal(err)
	}
	if err := os.CopyFS(at, os.DirFS(dir)); err != nil {
		w.t.Fatal(err)
	}
}

// otherHubAdds appends what another hub appends for a registration: the lane's state with
// one interest more.
func (w *world) otherHubAdds(service, entity string) {
	w.t.Helper()
	// The stream's leader may not listen yet, and this hub may be faster.
	w.eventually("append to the lane", func() error { return w.addInterest(service, entity) })
}

func (w *world) addInterest(service, entity string) error {
	stream, err := w.js.Stream(w.t.Context(), "SUB_"+service)
	if err != nil {
		return err
	}
	info := stream.CachedInfo()
	last, err := stream.GetLastMsgForSubject(w.t.Context(), "sub."+service+"._state")
	if err != nil {
		return err
	}
	s, err := record.Decode(last.Data)
	if err != nil || s.Find(entity) != nil {
		return err
	}
	end, err := stream.GetMsg(w.t.Context(), info.State.LastSeq)
	if err != nil {
		return err
	}
	tip, _ := record.Tip{State: s}.Behind(end.Header)
	s = tip.State
	in := s.Interests[0]
	in.ID, in.Entity = "other", entity
	in.Since = s.Pos.Position
	in.Since.Seq++
	s.Interests = append(s.Interests, in)
	data, err := record.Encode(s)
	if err != nil {
		return err
	}
	_, err = w.js.PublishMsg(w.t.Context(), &nats.Msg{
		Subject: "sub." + service + "._state", Data: data, Header: nats.Header{
			contract.HeaderState: {"1"}, contract.HeaderExpectedLastSeq: {strconv.FormatUint(info.State.LastSeq, 10)},
		},
	})
	return err
}

func (w *world) changes(entity, id string) {
	w.t.Helper()
	w.eventually("publish", func() error {
		_, err := w.js.Publish(w.t.Context(), "db."+entity+".update", []byte(`{"id":"`+id+`"}`), jetstream.WithMsgID(entity+id))
		return err
	})
}

// awaitCopies waits until a lane has these copies, in this order, and no others.
func (w *world) awaitCopies(service string, want ...string) {
	w.t.Helper()
	w.eventually("the copies of "+service, func() error {
		stream, err := w.js.Stream(w.t.Context(), "SUB_"+service)
		if err != nil {
			return err
		}
		var have []string
		for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
			m, err := stream.GetMsg(w.t.Context(), seq)
			if err != nil {
				return err
			}
			if words := strings.Split(m.Subject, "."); words[2] != "_state" {
				have = append(have, words[2]+" "+m.Header.Get(contract.HeaderKey))
			}
		}
		if !slices.Equal(have, want) {
			return fmt.Errorf("the lane has %q, want %q", have, want)
		}
		return nil
	})
}
