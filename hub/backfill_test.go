package hub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// backfill asks for one, again where the hub that was asked is going.
func (w *world) backfill(service, request string) contract.Backfilling {
	w.t.Helper()
	var reply contract.Backfilling
	w.eventually("a backfill to be in force", func() error {
		reply = contract.Backfilling{}
		return w.call("replhub.backfill."+service, request, &reply)
	})
	return reply
}

// filled waits until a fill of rows has ended, and returns how it did.
func (w *world) filled(service, id string) contract.FilledStatus {
	w.t.Helper()
	var done contract.FilledStatus
	w.eventually("the end of the rows", func() error {
		var s contract.LaneStatus
		if err := w.call("replhub.describe."+service, "", &s); err != nil {
			return err
		}
		for _, done = range s.Filled {
			if done.ID == id {
				return nil
			}
		}
		return fmt.Errorf("%s: %s, fill %+v, filled %+v", s.State, s.Reason, s.Fill, s.Filled)
	})
	return done
}

// rowsByFill are the rows among copies by the fill that they are of, in order.
// The numbers of each fill must ascend from 1, each once unless gaps are allowed.
func rowsByFill(t *testing.T, copies []*jetstream.RawStreamMsg, gaps bool) map[string][]*jetstream.RawStreamMsg {
	t.Helper()
	fills := make(map[string][]*jetstream.RawStreamMsg)
	for _, m := range copies {
		if m.Header.Get("Replhub-Row") != "" {
			id, _, _ := strings.Cut(m.Header.Get("Replhub-Id"), "-")
			fills[id] = append(fills[id], m)
		}
	}
	for _, rows := range fills {
		rowsOf(t, rows, gaps)
	}
	return fills
}

// Rows come again, each once, while they change, are filled in beside live events
// and the hub is stopped in the middle; no other service is sent any.
func TestBackfillBesideLiveEventsAndRestarts(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	u := newUsers(3000)
	w.serve("accounts", u.snapshot)
	first := w.register("s", wantSnapshot)
	w.register("t", `{"entities":["user"]}`)
	w.settled("s")
	var before contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &before); err != nil {
		t.Fatal(err)
	}
	stopWriting := w.write(u)
	reply := w.backfill("s", `{"entity":"user"}`)
	if reply.UnderWay || reply.Filter != "" || reply.ID == "" || reply.Seq+1 < first.Since["user"] || reply.Epoch != 1 {
		t.Errorf("reply %+v", reply)
	}
	for range 2 {
		for range 4 {
			<-u.called // so it is somewhere in the middle
		}
		stop()
		stop = w.startHub()
	}
	done := w.filled("s", reply.ID)
	stopWriting()
	copies := w.settled("s")
	eventsAscend(t, copies)
	fills := rowsByFill(t, copies, false)
	if len(fills) != 2 || len(fills[before.Interests[0].ID]) != 3000 || uint64(len(fills[reply.ID])) != done.Rows || done.Rows < 2500 {
		t.Errorf("fills of %v rows, want the second to have %d", lengths(fills), done.Rows)
	}
	for _, m := range fills[reply.ID] {
		if seq, err := seqOf(m); err != nil || seq < reply.Seq {
			t.Fatalf("a row at %d, and the backfill was asked for at %d, %v", seq, reply.Seq, err)
		}
	}
	if diff := cmp.Diff(u.all(), replica(t, copies)); diff != "" {
		t.Errorf("the replica is not the owner's table (-want +got):\n%s", diff)
	}
	var after contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Interests, after.Interests); diff != "" {
		t.Errorf("the interest changed (-before +after):\n%s", diff)
	}
	if others := rowsByFill(t, w.settled("t"), false); len(others) != 0 {
		t.Errorf("another service was sent rows: %v", lengths(others))
	}
}

func lengths(fills map[string][]*jetstream.RawStreamMsg) map[string]int {
	n := make(map[string]int)
	for id, rows := range fills {
		n[id] = len(rows)
	}
	return n
}

// Two hubs that both believe to own the lane begin and copy a backfill at once.
func TestBackfillOfRivalHubs(t *testing.T) {
	w := newWorld(t)
	w.patience = time.Minute // each hub keeps undoing the other's open append
	for i := range 2 {
		w.startHub(func(c *hub.Config) { c.OwnAll, c.ID = true, fmt.Sprintf("rival-%d", i) })
	}
	u := newUsers(1500)
	w.serve("accounts", u.snapshot)
	w.register("s", `{"entities":["user"]}`)
	stopWriting := w.write(u)
	reply := w.backfill("s", `{"entity":"user"}`)
	done := w.filled("s", reply.ID)
	stopWriting()
	copies := w.settled("s")
	fills := rowsByFill(t, copies, false)
	if len(fills) != 1 || uint64(len(fills[reply.ID])) != done.Rows {
		t.Errorf("fills of %v rows, want %d", lengths(fills), done.Rows)
	}
	if diff := cmp.Diff(u.all(), replica(t, copies)); diff != "" {
		t.Errorf("the replica is not the owner's table (-want +got):\n%s", diff)
	}
}

// A backfill's filter and the interest's both hold, and so do its fields. A row
// that they cannot judge is a dead letter of each fill, unless one of the two
// leaves the row out.
func TestBackfillIsFilteredAndProjected(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	w.serve("accounts", func(_ context.Context, after string, yield func(replhub.Event) error) error {
		for i := range 100 {
			key := fmt.Sprintf("%04d", i)
			if key <= after {
				continue
			}
			data := fmt.Appendf(nil, `{"id":%q,"n":%d}`, key, i)
			switch i {
			case 10: // no filter that reads n can judge it
				data = fmt.Appendf(nil, `{"id":%q}`, key)
			case 20:
				data = []byte("not JSON")
			}
			if err := yield(replhub.Event{Key: key, Data: data, Version: int64(i + 1)}); err != nil {
				return err
			}
		}
		return nil
	})
	w.register("s", `{"interests":[{"entity":"user","start":"snapshot","filter":"data.n < 50","fields":["id"]}]}`)
	w.settled("s")
	letters := func(want uint64) {
		t.Helper()
		var s contract.LaneStatus
		if err := w.call("replhub.describe.s", "", &s); err != nil || s.DeadLetters != want {
			t.Errorf("%d dead letters, want %d, %v", s.DeadLetters, want, err)
		}
	}
	letters(2)
	reply := w.backfill("s", `{"entity":"user","filter":"key >= '0008' && data.n % 2 == 0"}`)
	if len(reply.Warnings) != 1 || !strings.Contains(reply.Warnings[0], "data.n unguarded") || reply.Filter == "" {
		t.Errorf("reply %+v", reply)
	}
	if done := w.filled("s", reply.ID); done.Rows != 100 || done.Entity != "user" {
		t.Errorf("filled %+v", done)
	}
	rows := rowsByFill(t, w.settled("s"), true)[reply.ID]
	if len(rows) != 19 { // 8 to 48 and even, without 10 and 20
		t.Errorf("%d rows", len(rows))
	}
	if m := rows[0]; string(m.Data) != `{"id":"0008"}` || m.Header.Get("Replhub-Version") != "9" || m.Header.Get("Replhub-Row") != "9" {
		t.Errorf("row %s %v", m.Data, m.Header)
	}
	letters(4) // 10 and 20 once more, each a letter of its own
	reply = w.backfill("s", `{"entity":"user","filter":"key == '0012'"}`)
	w.filled("s", reply.ID)
	if rows := rowsByFill(t, w.settled("s"), true)[reply.ID]; len(rows) != 1 || rows[0].Header.Get("Replhub-Key") != "0012" {
		t.Errorf("%d rows", len(rows))
	}
	letters(5) // of the one that is not JSON; the other is left out whatever n is
}

// A backfill that is asked for twice is one; another one of the entity waits for
// nobody; unregistering ends it; and one whose interest changed begins again.
func TestBackfillAskedTwice(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(600)
	var hold atomic.Pointer[chan struct{}]
	hold.Store(new(make(chan struct{})))
	w.serve("accounts", func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		if after == "k000199" {
			select {
			case <-*hold.Load():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return u.snapshot(ctx, after, yield)
	})
	w.register("s", `{"entities":["user"]}`)
	first := w.backfill("s", `{"entity":"user"}`)
	w.fill("the first rows", "s", func(f *contract.FillStatus) bool {
		return f.Kind == contract.FillBackfill && f.ID == first.ID && f.Rows == few && f.Began.Equal(first.Began)
	})
	again := w.backfill("s", `{"entity":"user"}`)
	if !again.UnderWay || again.ID != first.ID || again.Rows != few || again.Seq != first.Seq {
		t.Errorf("first %+v, again %+v", first, again)
	}
	err := w.call("replhub.backfill.s", `{"entity":"user","filter":"true"}`, nil)
	if r := asRefusal(t, err); r.Code != contract.CodeBusy || r.Field != "filter" || !strings.Contains(r.Message, "200 so far") {
		t.Errorf("refused with %v", err)
	}

	w.register("s", `{"interests":[{"entity":"user","fields":["id"]}]}`)
	wider := w.backfill("s", `{"entity":"user"}`)
	if wider.UnderWay || wider.ID == first.ID {
		t.Errorf("a backfill of the old fields goes on: %+v", wider)
	}
	w.fill("its first rows", "s", func(f *contract.FillStatus) bool { return f.ID == wider.ID && f.Rows == few })
	close(*hold.Load())
	w.filled("s", wider.ID)
	fills := rowsByFill(t, w.settled("s"), false)
	if len(fills[first.ID]) != few || len(fills[wider.ID]) != 600 || len(fills) != 2 {
		t.Errorf("fills of %v rows", lengths(fills))
	}

	third := w.backfill("s", `{"entity":"user","filter":"data.n == 1"}`)
	if third.UnderWay {
		t.Errorf("one that has ended is under way: %+v", third)
	}
	w.filled("s", third.ID)
	hold.Store(new(make(chan struct{})))
	last := w.backfill("s", `{"entity":"user"}`)
	w.fill("the last one", "s", func(f *contract.FillStatus) bool { return f.ID == last.ID })
	if err := w.call("replhub.unregister.s", "", nil); err != nil {
		t.Fatal(err)
	}
	var s contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &s); err != nil || s.Fill != nil || slices.ContainsFunc(s.Filled, func(f contract.FilledStatus) bool { return f.ID == last.ID }) {
		t.Errorf("a backfill outlives its interest: %+v, %v", s, err)
	}
	close(*hold.Load())
}

func TestBackfillRefusals(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	refused := func(service, request string, code contract.Code, field, says string) {
		t.Helper()
		err := w.call("replhub.backfill."+service, request, nil)
		if r := asRefusal(t, err); r.Code != code || r.Field != field || !strings.Contains(r.Message, says) {
			t.Errorf("%s %s: refused with %v", service, request, err)
		}
	}
	refused("nobody", `{"entity":"user"}`, contract.CodeNotFound, "", "no such service")
	w.register("s", `{"entities":["user","tenant"]}`)
	refused("s", `{}`, contract.CodeInvalidValue, "entity", "state the entity")
	refused("s", `{"entity":"User"}`, contract.CodeInvalidName, "entity", "User")
	refused("s", `{"entity":"user","where":"true"}`, contract.CodeUnknownField, "where", "no such field")
	refused("s", `{"entity":"user","filter":7}`, contract.CodeInvalidValue, "filter", "")
	refused("s", `{"entity":"user","filter":"data.n =="}`, contract.CodeInvalidFilter, "filter", "line 1")
	refused("s", `{"entity":"user","filter":"data.a.exists(x, data.a.exists(y, data.a.exists(z, x == y && y == z)))"}`, contract.CodeInvalidFilter, "filter", "too expensive")
	refused("s", `{"entity":"order"}`, contract.CodeNotFound, "entity", "s is not registered for order")
	refused("s", `{"entity":"user"}`, contract.CodeUnavailable, "entity", "start its owner, which serves them with ServeSnapshot")
	u := newUsers(1)
	u.failWith(errors.New("the table is locked"))
	w.serve("accounts", u.snapshot)
	refused("s", `{"entity":"user"}`, contract.CodeUnavailable, "entity", "the table is locked; remove the cause")
	u.failWith(nil)
	if err := w.call("replhub.pause.s", `{"for":"1h"}`, nil); err != nil {
		t.Fatal(err)
	}
	refused("s", `{"entity":"user"}`, contract.CodePaused, "", "replhub resume s")
	if err := w.call("replhub.resume.s", "", nil); err != nil {
		t.Fatal(err)
	}
	w.backfill("s", `{"entity":"user"}`)
	var s contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &s); err != nil || slices.ContainsFunc(s.OtherFills, func(f contract.FillStatus) bool { return f.ID != "" }) {
		t.Errorf("a refused backfill left a fill: %+v, %v", s, err)
	}
}

// Backfills with long filters are refused before the lane's state record could
// outgrow what the server takes.
func TestBackfillThatDoesNotFitARecord(t *testing.T) {
	w := newSmallWorld(t)
	w.startHub()
	_, err := w.nc.Subscribe("replhub._snapshot.*", func(m *nats.Msg) { // an owner that takes its time
		out := nats.NewMsg(m.Reply)
		out.Header.Set("Replhub-Snapshot", "wait")
		if err := w.nc.PublishMsg(out); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.register("s", `{"entities":["e0","e1","e2","e3","e4","e5","e6","e7","e8","e9"]}`)
	long := strings.Repeat(" ", 3900) + "true"
	taken := 0
	for ; taken < 10; taken++ {
		if err = w.call("replhub.backfill.s", fmt.Sprintf(`{"entity":"e%d","filter":%q}`, taken, long), nil); err != nil {
			break
		}
	}
	if taken == 0 || taken == 10 {
		t.Fatalf("%d backfills of 4 KiB each are taken by a server of %d bytes", taken, smallPayload)
	}
	// Before it is as large as a message, so that its fills' cursors have room.
	if r := asRefusal(t, err); r.Code != contract.CodeLimit || !strings.Contains(r.Message, "max_payload") || strings.Contains(r.Message, fmt.Sprintf("may have %d", smallPayload)) {
		t.Errorf("refused with %v", err)
	}
	w.publish("db.e0.create", `{"id":"1"}`)
	w.copies("s", 1)
	var s contract.LaneStatus
	if err := w.call("replhub.describe.s", "", &s); err != nil || s.Fill == nil || len(s.OtherFills)+s.FillsLeftOut != taken-1 {
		t.Errorf("%d fills beside %+v, %v", len(s.OtherFills), s.Fill, err)
	}
}

// A backfill into a lane that an earlier fill from ingest is not through with
// needs no order between the two: positions decide.
func TestBackfillBesideAFillFromIngest(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(0)
	w.serve("accounts", u.snapshot)
	for i := range 500 {
		key := fmt.Sprintf("k%06d", i%50)
		u.mu.Lock()
		u.rows[key] = i
		u.mu.Unlock()
		w.publish("db.user.update", string(userData(key, i)))
	}
	w.register("s", `{"entities":["tenant"]}`)
	w.publish("db.tenant.create", `{"id":"t"}`)
	w.copies("s", 1)
	w.register("s", `{"interests":[{"entity":"user","start":"all"}]}`)
	reply := w.backfill("s", `{"entity":"user"}`)
	w.filled("s", reply.ID)
	copies := slices.DeleteFunc(w.settled("s"), func(m *jetstream.RawStreamMsg) bool { return strings.Contains(m.Subject, "tenant") })
	if rows := rowsByFill(t, copies, false)[reply.ID]; len(rows) != 50 || len(copies) != 550 {
		t.Errorf("%d rows among %d copies", len(rows), len(copies))
	}
	eventsAscend(t, copies)
	if got := replica(t, copies); !maps.Equal(got, u.all()) {
		t.Errorf("replica %v", got)
	}
}

// A service that registers again, as it does at each start, and whoever asks for a
// backfill again, leave the rows that are on their way: an owner has few hands,
// and is not asked for the same rows again.
func TestRowsOnTheirWayOutliveARegistration(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	u := newUsers(600)
	hold := make(chan struct{})
	var calls atomic.Int32 // for the second chunk
	w.serve("accounts", func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		if after == "k000199" {
			calls.Add(1)
			select {
			case <-hold:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return u.snapshot(ctx, after, yield)
	})
	w.register("s", `{"entities":["user"]}`)
	reply := w.backfill("s", `{"entity":"user"}`)
	w.eventually("the second call", func() error {
		if n := calls.Load(); n != 1 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
	for range 5 {
		w.register("s", `{"entities":["user"]}`)
		w.backfill("s", `{"entity":"user"}`)
	}
	close(hold)
	w.filled("s", reply.ID)
	if rows := rowsByFill(t, w.settled("s"), false)[reply.ID]; len(rows) != 600 || calls.Load() != 1 {
		t.Errorf("%d rows, %d calls for the same", len(rows), calls.Load())
	}
}
