package hub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

const wantSnapshot = `{"interests":[{"entity":"user","start":"snapshot"}]}`

// Rows are read while they change, the hub is stopped and started again in the
// middle, and the replica is the owner's table all the same.
func TestSnapshotIsStitchedToLiveEvents(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	u := newUsers(5000)
	w.serve("accounts", u.snapshot)
	stopWriting := w.write(u)
	reply := w.register("s", wantSnapshot)
	if !reply.Complete || reply.Since["user"] == 0 {
		t.Errorf("reply %+v", reply)
	}
	for range 4 {
		for range 4 {
			<-u.called // so it is somewhere in the middle
		}
		stop()
		stop = w.startHub()
	}
	w.fill("the last quarter", "s", func(f *contract.FillStatus) bool { return f.Rows > 3500 })
	w.settled("s")
	stopWriting()
	copies := w.settled("s")
	eventsAscend(t, copies)
	rows := rowsOf(t, copies, false)
	if len(rows) < 4000 || len(copies) == len(rows) {
		t.Errorf("%d rows among %d copies", len(rows), len(copies))
	}
	if diff := cmp.Diff(u.all(), replica(t, copies)); diff != "" {
		t.Errorf("the replica is not the owner's table (-want +got):\n%s", diff)
	}
	m := rows[0]
	if m.Subject != "sub.s.user.create.0" || m.Header.Get("Replhub-Origin") != "accounts" || !strings.Contains(m.Header.Get("Replhub-Id"), "-1-") {
		t.Errorf("row %s %v", m.Subject, m.Header)
	}
}

// Two hubs that both believe to own the lane fetch and append at once.
func TestSnapshotOfRivalHubs(t *testing.T) {
	w := newWorld(t)
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	u := newUsers(3000)
	w.serve("accounts", u.snapshot)
	stopWriting := w.write(u)
	w.register("s", wantSnapshot)
	w.settled("s")
	stopWriting()
	copies := w.settled("s")
	rowsOf(t, copies, false)
	if diff := cmp.Diff(u.all(), replica(t, copies)); diff != "" {
		t.Errorf("the replica is not the owner's table (-want +got):\n%s", diff)
	}
}

// Before anything was ever published, every event wins over every row.
func TestSnapshotBeforeTheFirstEvent(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(3)
	w.serve("accounts", u.snapshot)
	w.register("s", wantSnapshot)
	w.settled("s")
	w.publish("db.user.delete", `{"id":"k000001"}`)
	copies := w.copies("s", 4)
	if got := replica(t, copies); len(got) != 2 {
		t.Errorf("replica %v", got)
	}
	if strings.HasSuffix(copies[0].Header.Get("Replhub-Position"), "-0") {
		t.Error("a row without a position")
	}
}

// A change that is published while the rows from before it are on their way wins
// over its row, and one from before the rows were asked for does not.
func TestChangeWhileRowsAreOnTheirWay(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.publish("db.user.update", `{"id":"a","n":1}`)
	var mu sync.Mutex
	n, gone := 2, false
	w.serve("accounts", func(_ context.Context, after string, yield func(replhub.Event) error) error {
		mu.Lock()
		defer mu.Unlock()
		if after != "" {
			return nil
		}
		rows := map[string]int{"a": 2, "b": n, "c": 2}
		if gone {
			delete(rows, "c")
		}
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			if err := yield(replhub.Event{Key: key, Data: userData(key, rows[key])}); err != nil {
				return err
			}
		}
		// The hub asks again where it has had to read its lane again.
		n++
		w.publish("db.user.update", string(userData("b", n)))
		w.publish("db.user.update", string(userData("a", 2)))
		if !gone {
			gone = true
			w.publish("db.user.delete", `{"id":"c"}`)
		}
		return nil
	})
	w.register("s", wantSnapshot)
	got := replica(t, w.settled("s"))
	want := map[string]string{"a": string(userData("a", 2)), "b": string(userData("b", n))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replica (-want +got):\n%s", diff)
	}
}

// Without an owner, or with one that fails, live events flow, other fills go on,
// and describe says why the snapshot waits.
func TestSnapshotWaitsForItsOwner(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.publish("db.tenant.create", `{"id":"t"}`)
	w.register("s", `{"interests":[{"entity":"user","start":"snapshot"},{"entity":"tenant","start":"all"}]}`)
	f := w.fill("the reason", "s", func(f *contract.FillStatus) bool {
		return f.Stalled != "" && len(f.Entities) == 1 && f.Entities[0] == "user"
	})
	if f.Kind != contract.FillSnapshot || !strings.Contains(f.Stalled, "no instance serves a snapshot of user") {
		t.Errorf("fill %+v", f)
	}
	w.publish("db.user.update", string(userData("k000001", 7)))
	w.copies("s", 2)

	u := newUsers(500)
	u.failWith(errors.New("the table\nis locked"))
	w.serve("accounts", u.snapshot)
	w.fill("the owner's reason", "s", func(f *contract.FillStatus) bool { return strings.Contains(f.Stalled, "the table is locked") })
	var status contract.Status
	if err := w.call("replhub.status", "", &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Degraded) != 1 || !strings.Contains(status.Degraded[0], "the table is locked") {
		t.Errorf("degraded %q", status.Degraded)
	}
	w.publish("db.user.update", string(userData("k000002", 8)))
	w.copies("s", 3)
	u.failWith(nil)
	copies := w.settled("s")
	if got := len(rowsOf(t, copies, false)); got != 500 || len(copies) != 503 {
		t.Errorf("%d rows among %d copies", got, len(copies))
	}
}

// Describe says about how many rows the owner has, as long as they come.
func TestSnapshotSaysHowManyRowsThereAre(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.publish("db.tenant.create", `{"id":"t"}`)
	w.register("s", `{"interests":[{"entity":"user","start":"snapshot"}]}`)
	u := newUsers(3 * few)
	gate := make(chan struct{})
	w.serveRows("accounts", replhub.Rows{
		All: func(ctx context.Context, after string, yield func(replhub.Event) error) error {
			if after != "" {
				select {
				case <-gate:
				case <-ctx.Done():
				}
			}
			return u.snapshot(ctx, after, yield)
		},
		Count: func(context.Context) (uint64, error) { return 600, nil },
	})
	w.fill("the number of rows", "s", func(f *contract.FillStatus) bool { return f.Total == 600 && f.Rows == few })
	close(gate)
	if got := len(rowsOf(t, w.settled("s"), false)); got != 3*few {
		t.Errorf("%d rows", got)
	}
}

// Filter and fields hold for rows, whatever ops are wanted of events; a row that
// they cannot judge is a dead letter, each one of its own.
func TestSnapshotIsFilteredAndProjected(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.serve("accounts", func(_ context.Context, after string, yield func(replhub.Event) error) error {
		for i := range 3000 {
			key := fmt.Sprintf("%04d", i)
			if key <= after {
				continue
			}
			data := fmt.Appendf(nil, `{"id":%q,"n":%d}`, key, i)
			if i == 10 || i == 20 {
				data = []byte("not JSON")
			}
			if err := yield(replhub.Event{Key: key, Data: data, Version: int64(i + 1), Header: map[string][]string{"X-Own": {"1"}}}); err != nil {
				return err
			}
		}
		return nil
	})
	w.register("s", `{"interests":[{"entity":"user","start":"snapshot","ops":["delete"],"filter":"data.n < 1000 && headers['X-Own'] == '1'","fields":["id"]}]}`)
	copies := w.settled("s")
	rows := rowsOf(t, copies, true)
	if len(rows) != 998 || len(copies) != 998 {
		t.Errorf("%d rows among %d copies", len(rows), len(copies))
	}
	if m := rows[5]; string(m.Data) != `{"id":"0005"}` || m.Header.Get("Replhub-Version") != "6" || m.Header.Get("Replhub-Row") != "6" {
		t.Errorf("row %s %v", m.Data, m.Header)
	}
	var s contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &s); err != nil || s.DeadLetters != 2 {
		t.Errorf("%d dead letters, %v", s.DeadLetters, err)
	}
	var redriven contract.Redriven
	if err := w.call("replhub.redrive.s", `{"all":true}`, &redriven); err != nil {
		t.Fatal(err)
	}
	if redriven.Redriven != 0 || len(redriven.Left) != 2 || !strings.Contains(redriven.Left[0].Message, "a row of a snapshot") {
		t.Errorf("redriven %+v", redriven)
	}
}

// An owner that begins again each time, or answers for another one, is told so
// rather than copied for ever.
func TestSnapshotOfABadOwner(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	stop := w.serve("accounts", func(_ context.Context, _ string, yield func(replhub.Event) error) error {
		for _, key := range []string{"a", "b"} {
			if err := yield(replhub.Event{Key: key}); err != nil {
				return err
			}
		}
		return nil
	})
	w.register("s", wantSnapshot)
	w.fill("rows that come again", "s", func(f *contract.FillStatus) bool {
		return f.Rows == 2 && f.After == "b" && strings.Contains(f.Stalled, `gives row "b" again`)
	})
	stop()
	u := newUsers(10)
	stop = w.serve("billing", u.snapshot)
	w.fill("another owner", "s", func(f *contract.FillStatus) bool {
		return strings.Contains(f.Stalled, "billing serves user now, and the rows so far are of accounts")
	})
	stop()
	w.serve("accounts", u.snapshot)
	if rows := rowsOf(t, w.settled("s"), false); len(rows) != 12 {
		t.Errorf("%d rows", len(rows))
	}
}

// Ending the interest ends its snapshot; registering again while it runs does
// not begin it again, and registering after the end does.
func TestSnapshotBeginsOncePerRegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.register("s", wantSnapshot)
	w.fill("the fill", "s", func(f *contract.FillStatus) bool { return f.Stalled != "" })
	if err := w.call("replhub.unregister.s", "", nil); err != nil {
		t.Fatal(err)
	}
	u := newUsers(300)
	w.serve("accounts", u.snapshot)
	w.register("s", `{"entities":["user"]}`)
	if copies := w.settled("s"); len(copies) != 0 {
		t.Errorf("%d copies of an interest without a snapshot", len(copies))
	}
	w.register("s", wantSnapshot)
	if copies := w.settled("s"); len(copies) != 0 {
		t.Errorf("%d copies: a registered interest began again", len(copies))
	}
	if err := w.call("replhub.unregister.s", "", nil); err != nil {
		t.Fatal(err)
	}
	w.register("s", wantSnapshot)
	if rows := rowsOf(t, w.settled("s"), false); len(rows) != 300 {
		t.Errorf("%d rows", len(rows))
	}
	if err := w.call("replhub.register.t", `{"interests":[{"entity":"user","start":"snapshots"}]}`, nil); asRefusal(t, err).Field != "interests[0].start" {
		t.Errorf("refused with %v", err)
	}
}

// Rows take turns with live events, which do not wait for the end of them.
func TestLiveEventsDoNotWaitForASnapshot(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	hold := make(chan struct{})
	u := newUsers(2000)
	w.serve("accounts", func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		if after != "" {
			select {
			case <-hold:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return u.snapshot(ctx, after, yield)
	})
	w.register("s", wantSnapshot)
	w.fill("the first rows", "s", func(f *contract.FillStatus) bool { return f.Rows == few })
	for i := range 3 {
		w.publish("db.user.update", string(userData("k000001", i+1)))
		w.copies("s", few+i+1) // though the owner is at work
	}
	close(hold)
	if got := len(w.settled("s")); got != 2003 {
		t.Errorf("%d copies", got)
	}
	eventsAscend(t, w.copies("s", 2003))
}

// A snapshot whose owner is away holds up no other one of the lane.
func TestSnapshotsOfOneLane(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(10)
	w.serve("accounts", u.snapshot)
	w.register("s", `{"interests":[{"entity":"tenant","start":"snapshot"},{"entity":"order","start":"snapshot"},{"entity":"user","start":"snapshot"}]}`)
	if rows := rowsOf(t, w.copies("s", 10), false); len(rows) != 10 {
		t.Errorf("%d rows", len(rows))
	}
	f := w.fill("the others", "s", func(f *contract.FillStatus) bool {
		return len(f.Entities) == 1 && f.Entities[0] != "user" && f.Stalled != ""
	})
	if f.Rows != 0 {
		t.Errorf("fill %+v", f)
	}
}

// An answer of which a part is missing is not taken.
func TestRowsThatAreLostOnTheWay(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	type message struct{ what, chunk, key string }
	answers := make(chan []message, 1)
	_, err := w.nc.Subscribe("replhub._snapshot.user", func(m *nats.Msg) {
		var answer []message
		select {
		case answer = <-answers:
		default:
			answer = []message{{"error", "", ""}}
		}
		for _, a := range answer {
			out := nats.NewMsg(m.Reply)
			for name, value := range map[string]string{"Replhub-Snapshot": a.what, "Replhub-Row": a.chunk, "Replhub-Key": a.key} {
				if value != "" {
					out.Header.Set(name, value)
				}
			}
			if err := w.nc.PublishMsg(out); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.register("s", wantSnapshot)
	for want, answer := range map[string][]message{
		"2 came behind 0": {{"", "2", "b"}, {"end", "2", ""}},
		"1 of 2 came":     {{"", "1", "a"}, {"end", "2", ""}},
		"has no key":      {{"", "1", ""}, {"end", "1", ""}},
	} {
		answers <- answer
		w.fill(want, "s", func(f *contract.FillStatus) bool { return f.Rows == 0 && strings.Contains(f.Stalled, want) })
	}
	answers <- []message{{"wait", "", ""}, {"", "1", "a"}, {"end", "1", ""}}
	w.copies("s", 1)
	answers <- []message{{"end", "0", ""}}
	if copies := w.settled("s"); len(copies) != 1 {
		t.Errorf("%d copies", len(copies))
	}
}
