package hub_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/kvmap"
)

// A trim fences lanes that another hub appends to all the time, from some milliseconds
// away: a record of its own never fits between two of the owner's appends.
func TestTrimFencesBusyLanesOfAnotherHub(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"one", "two"} {
		w.startHub(func(c *hub.Config) {
			c.ID, c.Conn = id, w.distant(2*time.Millisecond)
			js, err := jetstream.New(c.Conn)
			if err != nil {
				t.Fatal(err)
			}
			if c.Registry, err = kvmap.New(js, kvmap.Config{Records: hub.RegistryRecords(), Logger: quiet(t)}); err != nil {
				t.Fatal(err)
			}
			c.History, c.TrimGuard, c.TrimEvery = time.Millisecond, time.Millisecond, 20*time.Millisecond
		})
	}
	for i := range 6 {
		w.register(fmt.Sprintf("s%d", i), `{"entities":["user"]}`)
	}
	w.busy(time.Millisecond)
	w.awaitMessages("s0", 200) // the lanes are busy
	w.deleteStream(contract.StreamLedger)
	lost := false
	w.eventually("the lanes to be fenced", func() error {
		l, err := w.ledger()
		if err != nil {
			return err
		}
		if lost = lost || l.Lost > 0; !lost || l.Lost > 0 {
			return fmt.Errorf("lost: %d, noticed: %v", l.Lost, lost)
		}
		return nil
	})
}

func (w *world) ledger() (l retention.Ledger, err error) {
	stream, err := w.js.Stream(w.t.Context(), contract.StreamLedger)
	if err != nil {
		return l, err
	}
	m, err := stream.GetLastMsgForSubject(w.t.Context(), "replhub._ledger")
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal(m.Data, &l)
}

// busy publishes an event in each interval until the test ends.
func (w *world) busy(every time.Duration) {
	nc, stop, done := w.connect(), make(chan struct{}), make(chan struct{})
	w.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				if err := nc.Publish("db.user.update", fmt.Appendf(nil, `{"id":"%d"}`, i)); err != nil {
					return // the connection is closed
				}
			}
		}
	}()
}

// distant connects to the server over a line that takes d in each direction.
func (w *world) distant(d time.Duration) *nats.Conn {
	w.t.Helper()
	to, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to.Host)
			if err != nil {
				_ = near.Close()
				return
			}
			go delayed(far, near, d)
			go delayed(near, far, d)
		}
	}()
	nc, err := nats.Connect("nats://"+listener.Addr().String(), nats.MaxReconnects(-1))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

// delayed copies from one connection to another, and passes everything on after d.
func delayed(to io.WriteCloser, from io.Reader, d time.Duration) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 10_000)
	go func() {
		defer to.Close()
		for p := range pieces {
			<-time.After(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				for range pieces { // the rest goes nowhere
				}
			}
		}
	}()
	defer close(pieces)
	for {
		data := make([]byte, 64<<10)
		n, err := from.Read(data)
		if n > 0 {
			pieces <- piece{data[:n], time.Now().Add(d)}
		}
		if err != nil {
			return
		}
	}
}
