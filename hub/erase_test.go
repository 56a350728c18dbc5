package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
)

// erase erases a key's events, page by page, and returns the replies as one.
func (w *world) erase(key string, dry bool) contract.Erased {
	w.t.Helper()
	all, err := w.tryErase(key, dry)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) tryErase(key string, dry bool) (all contract.Erased, err error) {
	w.t.Helper()
	after := ""
	for {
		var page contract.Erased
		if err := w.call("replhub.erase", fmt.Sprintf(`{"entity":"user","key":%q,"dry_run":%v,"after":%q}`, key, dry, after), &page); err != nil {
			return all, fmt.Errorf("erase %s after %q: %w", key, after, err)
		}
		all.ID = page.ID
		all.Events += page.Events
		all.Copies += page.Copies
		all.DeadLetters += page.DeadLetters
		all.Records += page.Records
		all.Deletes += page.Deletes
		all.InFlight += page.InFlight
		all.Found = append(all.Found, page.Found...)
		all.Left = append(all.Left, page.Left...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// gone fails if a stream still has the text anywhere.
func (w *world) gone(text string, streams ...string) {
	w.t.Helper()
	for _, name := range streams {
		s := w.stream(name)
		for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq; seq++ {
			m, err := s.GetMsg(w.t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				w.t.Fatal(err)
			}
			if strings.Contains(string(m.Data), text) || strings.Contains(fmt.Sprint(m.Header), text) {
				w.t.Errorf("%s %d still has %q: %s %s", name, seq, text, m.Header, m.Data)
			}
		}
	}
}

// healthy fails if the hub has noticed anything.
func (w *world) healthy() contract.Status {
	w.t.Helper()
	var s contract.Status
	if err := w.call("replhub.status", "", &s); err != nil {
		w.t.Fatal(err)
	}
	if !s.Ready || s.Ingest.Epoch != 1 || len(s.Degraded) > 0 || len(s.Registry.Alarms) > 0 {
		w.t.Errorf("ready %v, epoch %d, degraded %q, alarms %q", s.Ready, s.Ingest.Epoch, s.Degraded, s.Registry.Alarms)
	}
	return s
}

// ids are the ids in the payloads of copies.
func ids(copies []*jetstream.RawStreamMsg) string {
	var list []string
	for _, m := range copies {
		list = append(list, m.Header.Get(contract.HeaderKey))
	}
	return strings.Join(list, " ")
}

func (w *world) user(key string) {
	w.t.Helper()
	w.publish("db.user.update", fmt.Sprintf(`{"id":%q,"name":"name of %s"}`, key, key))
}

// The key's events are the first, the last and some between, in ingest and in the lane.
// Afterwards everything goes on: in the same hub, after a restart of hub and server, and
// for a service that wants all events.
func TestErase(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("sharing", `{"entities":["user"],"queue":{"max_deliver":1}}`)
	for _, key := range []string{"42", "1", "42", "42", "2", "42"} {
		w.user(key)
	}
	w.publish("db.tenant.update", `{"id":"42"}`)
	w.user("42")
	w.copies("sharing", 7)
	w.publish("dlq.sharing.user.update", `{"id":"42","name":"name of 42"}`, contract.HeaderReason, contract.ReasonParked)
	w.publish("dlq.sharing.user.update", `{"id":"2"}`, contract.HeaderReason, contract.ReasonParked)

	if found := w.erase("42", true); found.Events != 5 || found.Copies != 5 || found.DeadLetters != 1 || len(found.Found) != 11 {
		t.Errorf("a dry run found %+v", found)
	}
	done := w.erase("42", false)
	if done.Events != 5 || done.Copies != 5 || done.DeadLetters != 1 || len(done.Left) > 0 {
		t.Errorf("erased %+v", done)
	}
	if found := w.erase("42", true); found.Events+found.Copies+found.DeadLetters+found.Records != 0 {
		t.Errorf("still there: %+v", found)
	}
	w.gone("name of 42", contract.StreamIngest, "SUB_sharing", contract.StreamDLQ, contract.StreamLedger)
	var explained contract.Explained
	if err := w.call("replhub.explain.sharing", `{"seq":3}`, &explained); err != nil || explained.Reason != "it was erased" {
		t.Errorf("explain: %+v, %v", explained, err)
	}
	w.user("3")
	if got := ids(w.copies("sharing", 3)); got != "1 2 3" {
		t.Errorf("the lane has %s", got)
	}
	status := w.healthy()
	if n := len(status.Erasures); n != 1 || status.Erasures[0].Ended == nil || status.Erasures[0].Events != 5 || status.Erasures[0].Copies != 5 ||
		status.Erasures[0].ID != done.ID || strings.Contains(fmt.Sprint(status.Erasures), "42 ") {
		t.Errorf("erasures: %+v", status.Erasures)
	}

	stop()
	w.stopServer()
	w.startServer()
	w.startHub()
	w.user("4")
	if got := ids(w.copies("sharing", 4)); got != "1 2 3 4" {
		t.Errorf("after a restart the lane has %s", got)
	}
	w.register("late", `{"interests":[{"entity":"user","start":"all"},{"entity":"tenant","start":"all"}]}`)
	if got := ids(w.copies("late", 5)); got != "1 2 42 3 4" {
		t.Errorf("a new lane has %s", got)
	}
	if n := len(w.healthy().Erasures); n != 1 {
		t.Errorf("%d erasures after a restart", n)
	}
}

// The last event of ingest is erased before anybody has read it: a lane that begins does
// not wait for it.
func TestEraseTheEndOfIngest(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	for _, key := range []string{"1", "42", "42"} {
		w.user(key)
	}
	if done := w.erase("42", false); done.Events != 2 {
		t.Errorf("erased %+v", done)
	}
	stop()
	w.startHub()
	if r := w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`); !r.Complete {
		t.Errorf("registered: %+v", r)
	}
	w.copies("late", 1)
	w.eventually("the lane at the end", func() error {
		var s contract.LaneStatus
		if err := w.call("replhub.describe.late", "", &s); err != nil {
			return err
		}
		if s.State != contract.LaneLive || s.Lag > 0 {
			return fmt.Errorf("%s, %d behind, fill %+v", s.State, s.Lag, s.Fill)
		}
		return nil
	})
	w.user("2")
	w.copies("late", 2)
	w.healthy()
}

// A hub ends between the record of the erased events and their deletion. No lane gets them
// from then on, and the next request deletes them.
func TestEraseIsCutShort(t *testing.T) {
	w := newWorld(t)
	recorded := newGate("erase recorded")
	skip := 1 // the note of the request is recorded in the same way
	stop := w.startHub(func(cfg *hub.Config) {
		cfg.Failpoint = func(step string) {
			if step == recorded.step && skip > 0 {
				skip--
				return
			}
			recorded.pass(step)
		}
	})
	for _, key := range []string{"42", "1", "42", "2", "42"} {
		w.user(key)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := w.nc.Request("replhub.erase", []byte(`{"entity":"user","key":"42"}`), w.patience)
		asked <- err
	}()
	<-recorded.reached
	w.register("early", `{"interests":[{"entity":"user","start":"all"}]}`)
	if got := ids(w.copies("early", 2)); got != "1 2" {
		t.Errorf("a lane has %s", got)
	}
	if n := w.stream(contract.StreamIngest).CachedInfo().State.Msgs; n != 5 {
		t.Errorf("ingest has %d events, want all 5", n)
	}
	w.nc.Close() // nobody hears the answer
	close(recorded.open)
	<-asked
	stop()
	w.open()

	w.startHub()
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	if got := ids(w.copies("late", 2)); got != "1 2" {
		t.Errorf("after a restart a lane has %s", got)
	}
	w.erase("42", false)
	w.gone("name of 42", contract.StreamIngest)
	w.user("3")
	w.copies("late", 3)
	w.copies("early", 3)
	w.healthy()
}

// A copy that a worker holds: the server takes its acknowledgement, no dead letter is
// made, and the lane is trimmed.
func TestEraseWhatAWorkerHolds(t *testing.T) {
	w := newWorld(t)
	w.startHub(trimming)
	w.register("sharing", `{"entities":["user"]}`)
	for _, key := range []string{"1", "42", "2"} {
		w.user(key)
	}
	w.copies("sharing", 3)
	c, err := w.js.Consumer(t.Context(), "SUB_sharing", "workers")
	if err != nil {
		t.Fatal(err)
	}
	batch, err := c.Fetch(3)
	if err != nil {
		t.Fatal(err)
	}
	var held []jetstream.Msg
	for m := range batch.Messages() {
		held = append(held, m)
	}
	if done := w.erase("42", false); done.Copies != 1 || done.InFlight != 1 {
		t.Errorf("erased %+v", done)
	}
	for _, m := range held {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Errorf("acknowledge %s: %v", m.Data(), err)
		}
	}
	w.user("3")
	w.consume("sharing", "workers", 1)
	w.trimmedTo("sharing", 5)
	if n := w.stream(contract.StreamDLQ).CachedInfo().State.Msgs; n > 0 {
		t.Errorf("%d dead letters", n)
	}
	w.healthy()
}

// Streams of an earlier version refuse deletes. The events stay until they are trimmed, but
// reach no lane any more, and the reply says so.
func TestEraseFromStreamsThatRefuse(t *testing.T) {
	w := newWorld(t)
	w.startHub()()
	cfg := w.stream(contract.StreamIngest).CachedInfo().Config
	cfg.DenyDelete = true
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.startHub()
	w.user("1")
	w.user("42")
	done := w.erase("42", false)
	if len(done.Left) != 1 || done.Left[0].Stream != contract.StreamIngest || !strings.Contains(done.Left[0].Reason, "deny_delete") {
		t.Errorf("erased %+v", done)
	}
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.user("2")
	if got := ids(w.copies("late", 2)); got != "1 2" {
		t.Errorf("a new lane has %s", got)
	}
	w.healthy()
}

// An event that is missing in ingest and was not erased is lost: the lane is detached.
func TestEventDeletedByHandIsNoErasure(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	for _, key := range []string{"1", "42", "2", "3"} {
		w.user(key)
	}
	w.erase("42", false)
	stop() // the hub had the events in memory
	w.startHub()
	if err := w.stream(contract.StreamIngest).DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.eventually("the lane in trouble", func() error {
		var s contract.LaneStatus
		if err := w.call("replhub.describe.late", "", &s); err != nil {
			return err
		}
		if s.State == contract.LaneLive || s.Reason == "" {
			return fmt.Errorf("it is %s", s.State)
		}
		return nil
	})
}

func TestEraseRefuses(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	for request, code := range map[string]contract.Code{
		`{"entity":"user"}`:                            contract.CodeInvalidValue,
		`{"key":"42"}`:                                 contract.CodeInvalidName,
		`{"entity":"user","key":" 42"}`:                contract.CodeInvalidValue,
		`{"entity":"user","key":"42","after":"x"}`:     contract.CodeInvalidValue,
		`{"entity":"user","key":"42","afterwards":""}`: contract.CodeUnknownField,
	} {
		if refusal := asRefusal(t, w.call("replhub.erase", request, nil)); refusal.Code != code {
			t.Errorf("%s: %v, want %s", request, refusal, code)
		}
	}
	if _, err := w.nc.Request("replhub.erase", []byte(`{"entity":"user","key":"42"}`), w.patience); errors.Is(err, nats.ErrNoResponders) {
		t.Error(err)
	}
}
