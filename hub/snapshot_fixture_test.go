package hub_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
)

// users is an owner's table: by key, a number that grows with each change.
type users struct {
	mu     sync.Mutex // guards the rest
	rows   map[string]int
	last   int
	calls  int
	fail   error // what the snapshot ends with
	called chan struct{}
}

func newUsers(n int) *users {
	u := &users{rows: make(map[string]int, n), called: make(chan struct{}, 1)}
	for i := range n {
		u.rows[fmt.Sprintf("k%06d", i)] = 0
	}
	return u
}

// few is how many rows a call yields at most, to have many of them.
const few = 200

// snapshot is the table's replhub.SnapshotFunc.
func (u *users) snapshot(_ context.Context, after string, yield func(replhub.Event) error) error {
	u.mu.Lock()
	rows, err := maps.Clone(u.rows), u.fail
	u.calls++
	u.mu.Unlock()
	select {
	case u.called <- struct{}{}:
	default:
	}
	if err != nil {
		return err
	}
	keys := slices.Sorted(maps.Keys(rows))
	from, found := slices.BinarySearch(keys, after)
	if found {
		from++
	}
	for _, key := range keys[from:min(from+few, len(keys))] {
		if err := yield(replhub.Event{Key: key, Data: userData(key, rows[key])}); err != nil {
			return err
		}
	}
	return nil
}

func userData(key string, n int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"n":%d,"secret":true}`, key, n)
}

func (u *users) failWith(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fail = err
}

// change commits a change of a random row, some of them deletes and new rows,
// and returns its event, which is published afterwards.
func (u *users) change(r *rand.Rand) (subject, data string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := fmt.Sprintf("k%06d", r.IntN(len(u.rows)+len(u.rows)/10+1))
	u.last++
	_, exists := u.rows[key]
	switch {
	case !exists:
		u.rows[key] = u.last
		return "db.user.create", string(userData(key, u.last))
	case r.IntN(5) == 0:
		delete(u.rows, key)
		return "db.user.delete", fmt.Sprintf(`{"id":%q}`, key)
	}
	u.rows[key] = u.last
	return "db.user.update", string(userData(key, u.last))
}

// all are the table's rows as payloads.
func (u *users) all() map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[string]string, len(u.rows))
	for key, n := range u.rows {
		out[key] = string(userData(key, n))
	}
	return out
}

// serve serves the table's rows until the test ends or stop is called.
func (w *world) serve(service string, rows replhub.SnapshotFunc) (stop func()) {
	w.t.Helper()
	return w.serveRows(service, replhub.Rows{All: rows})
}

func (w *world) serveRows(service string, rows replhub.Rows) (stop func()) {
	w.t.Helper()
	client, err := replhub.Connect(w.t.Context(), replhub.Config{Conn: w.connect(), Service: service, Logger: quiet(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- client.ServeRows(ctx, "user", rows) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		client.Close()
	}
	w.t.Cleanup(stop)
	return stop
}

// write changes rows until stop is called, publishing each change once it is
// committed.
func (w *world) write(u *users) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := rand.New(rand.NewPCG(1, 2))
		for i := 0; ctx.Err() == nil; i++ {
			subject, data := u.change(r)
			w.eventually("a change to be acknowledged", func() error { return w.publishOnce("c"+strconv.Itoa(i), subject, data) })
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// settled waits until a lane has no fill and stands at the end of ingest, and
// returns its copies.
func (w *world) settled(service string) []*jetstream.RawStreamMsg {
	w.t.Helper()
	w.eventually("the lane of "+service+" to be live", func() error {
		var s contract.LaneStatus
		if err := w.call("replhub.describe."+service, "", &s); err != nil {
			return err
		}
		if s.State != contract.LaneLive || s.Fill != nil {
			return fmt.Errorf("%s: %s, fill %+v", s.State, s.Reason, s.Fill)
		}
		return nil
	})
	var copies []*jetstream.RawStreamMsg
	w.eventually("the copies of "+service, func() error { // a reader goes with the leader that made it
		s, err := w.js.Stream(w.t.Context(), "SUB_"+service)
		if err == nil {
			copies, err = w.read(s)
		}
		return err
	})
	return copies
}

// fill waits for a fill that passes a check.
func (w *world) fill(what, service string, check func(*contract.FillStatus) bool) *contract.FillStatus {
	w.t.Helper()
	var s contract.LaneStatus
	w.eventually(what, func() error {
		s = contract.LaneStatus{}
		if err := w.call("replhub.describe."+service, "", &s); err != nil {
			return err
		}
		if s.Fill == nil || !check(s.Fill) {
			return fmt.Errorf("%s: %s, fill %+v", s.State, s.Reason, s.Fill)
		}
		return nil
	})
	return s.Fill
}

// rowsOf are those of a lane's copies that are rows. Their numbers must be 1 to
// n, each once and in order, unless gaps are allowed.
func rowsOf(t *testing.T, copies []*jetstream.RawStreamMsg, gaps bool) []*jetstream.RawStreamMsg {
	t.Helper()
	var found []*jetstream.RawStreamMsg
	last := 0
	for _, m := range copies {
		text := m.Header.Get("Replhub-Row")
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if n <= last || (n != last+1 && !gaps) {
			t.Fatalf("row %d follows row %d", n, last)
		}
		last = n
		found = append(found, m)
	}
	return found
}

// replica is what a service makes of its copies: of each key it keeps what
// stands furthest by (epoch, sequence).
func replica(t *testing.T, copies []*jetstream.RawStreamMsg) map[string]string {
	t.Helper()
	at := make(map[string]event.Position)
	rows := make(map[string]string)
	for _, m := range copies {
		key := m.Header.Get("Replhub-Key")
		pos, ok := event.ParsePosition(m.Header.Get("Replhub-Position"))
		if !ok {
			t.Fatalf("a copy with the headers %v", m.Header)
		}
		if have, known := at[key]; known && !have.Before(pos) {
			continue
		}
		at[key] = pos
		rows[key] = string(m.Data)
		if m.Subject == "sub.s.user.delete.0" {
			delete(rows, key)
		}
	}
	return rows
}

// eventsAscend insists that a lane's copies of events come once and in order.
func eventsAscend(t *testing.T, copies []*jetstream.RawStreamMsg) {
	t.Helper()
	var last uint64
	for _, m := range copies {
		if m.Header.Get("Replhub-Row") != "" {
			continue
		}
		seq, err := seqOf(m)
		if err != nil || seq <= last {
			t.Fatalf("event %d behind %d, %v", seq, last, err)
		}
		last = seq
	}
}
