package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// TestHubKilledInErase kills the hub at each step of an erasure. The same request again
// ends the work: no stream has the key's data, and every other event is in the lanes once.
func TestHubKilledInErase(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 93})
	hub := w.StartHub("h1")
	lanes := []string{"plain", "second"}
	for _, lane := range lanes {
		w.Register(lane, want("user"))
	}
	kept := 0
	publish := func(key string) {
		t.Helper()
		msg := nats.NewMsg("db.user.update")
		msg.Data = fmt.Appendf(nil, `{"id":%q,"name":"name of %s"}`, key, key)
		w.Eventually("an acknowledged event", settleWithin, func() error {
			_, err := w.NC.RequestMsg(msg, time.Second)
			return err
		})
	}
	for _, point := range []string{"erase events", "erase recorded:2", "erase events done", "erase lane:2"} {
		for range 3 {
			publish("42")
			publish(fmt.Sprint("k", kept))
			kept++
		}
		hub.Stop()
		hub.StartToFail(point)
		rose := hub.Resurrect(killTime)
		w.Eventually("the erasure", settleWithin, func() error { return eraseAll(w.NC, "42") })
		if !rose() {
			t.Fatalf("%s: the hub was not killed", point)
		}
		hub.AwaitReady()
		if err := eraseAll(w.NC, "42"); err != nil { // nothing is left to do
			t.Errorf("%s: again: %v", point, err)
		}
	}
	for _, lane := range lanes {
		w.Eventually("every other event in "+lane, settleWithin, func() error { return eachOnce(stored(t, w.NC, "SUB_"+lane), kept) })
	}
	for _, m := range stored(t, w.NC, contract.StreamIngest) {
		if strings.Contains(string(m.Data), "of 42") {
			t.Errorf("ingest holds %s", m.Data)
		}
	}
}

// stored are the messages that a stream has now.
func stored(t *testing.T, nc *nats.Conn, name string) (all []*jetstream.RawStreamMsg) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	state := s.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// eachOnce checks that a lane has one copy of each kept key, and none of another.
func eachOnce(copies []*jetstream.RawStreamMsg, kept int) error {
	count := make(map[string]int)
	for _, m := range copies {
		if key := m.Header.Get(contract.HeaderKey); key != "" {
			count[key]++
		}
	}
	if len(count) != kept {
		return fmt.Errorf("copies of %d keys, want %d: %v", len(count), kept, count)
	}
	for key, n := range count {
		if n != 1 || key == "42" {
			return fmt.Errorf("%d copies of %s", n, key)
		}
	}
	return nil
}

// eraseAll sends the pages of an erasure. Each request is short: one that goes down with
// the hub has no answer.
func eraseAll(nc *nats.Conn, key string) error {
	request := contract.Erase{Entity: "user", Key: key}
	for {
		data, err := json.Marshal(request)
		if err != nil {
			return err
		}
		m, err := nc.Request("replhub.erase", data, 2*time.Second)
		if err != nil {
			return err
		}
		var page contract.Erased
		if err := json.Unmarshal(m.Data, &page); err != nil {
			return err
		}
		switch {
		case page.ID == "":
			return fmt.Errorf("refused: %s", m.Data)
		case len(page.Left) > 0:
			return fmt.Errorf("left %+v", page.Left)
		case page.Next == "":
			return nil
		}
		request.After = page.Next
	}
}

// TestErasedRowStaysGone: the delete that erase publishes removes the row of a replica.
// Nothing brings it back: not the events that the lane still holds, not a backfill of the
// owner, who has deleted the row, and not a service that starts with all events.
func TestErasedRowStaysGone(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 94})
	w.StartHub("h1")
	owner, err := replhub.Connect(t.Context(), replhub.Config{URL: w.NATS.URL(), Service: "accounts", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	background(t, func(ctx context.Context) error {
		return owner.ServeSnapshot(ctx, "user", func(_ context.Context, after string, yield func(replhub.Event) error) error {
			if after != "" {
				return nil
			}
			return yield(replhub.Event{Key: "1", Data: []byte(`{"id":"1","name":"kept","version":1}`)})
		})
	})
	replica := newTableReplica(t)
	replica.subscribe(w.NATS.URL())
	publish := func(key string) {
		t.Helper()
		if _, err := owner.Publish(t.Context(), replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: fmt.Appendf(nil, `{"id":%q,"name":"kept","version":1}`, key)}); err != nil {
			t.Fatal(err)
		}
	}
	publish("1")
	publish("42")
	rows := func(n int) {
		t.Helper()
		w.Eventually(fmt.Sprint(n, " rows in the replica"), settleWithin, func() error {
			if got := replica.table(); len(got) != n {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
	}
	rows(2)
	erase := exec.CommandContext(t.Context(), binary, "erase", "user", "42", "--publish-delete", "--verify")
	erase.Env = append(os.Environ(), "NATS_URL="+w.NATS.URL())
	if out, err := erase.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rows(1)
	marks := 0
	for what, call := range map[string][2]string{
		"a rewind":   {"replhub.rewind.billing", `{"to":1}`},
		"a backfill": {"replhub.backfill.billing", `{"entity":"user"}`},
	} {
		w.Eventually(what, settleWithin, func() error { return w.Call(call[0], call[1], nil) })
		w.Eventually("its end", settleWithin, func() error {
			if d := w.Describe("billing"); d.Fill != nil {
				return fmt.Errorf("%+v", d.Fill)
			}
			return nil
		})
		marks++
		publish(fmt.Sprint("mark", marks)) // behind all that came before
		rows(1 + marks)
		if got := replica.table(); got["42"] != "" {
			t.Errorf("after %s the replica has %v", what, got)
		}
	}
	w.Register("late", from("all", want("user")))
	for _, m := range stored(t, w.NC, "SUB_late") {
		if strings.Contains(string(m.Data), `"42"`) {
			t.Errorf("a later lane has %s", m.Data)
		}
	}
}
