package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// backfillRows makes a few answers of an owner.
const backfillRows = 2500

// TestHubKilledInBackfill kills the hub at each step of a backfill: while it is
// put in force, before rows are appended and records written, and at its end. Each row comes once per backfill, and so does each live event.
func TestHubKilledInBackfill(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 92})
	hub := w.StartHub("h1")
	owner, err := replhub.Connect(t.Context(), replhub.Config{
		URL: w.NATS.URL(), Service: "accounts", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	background(t, func(ctx context.Context) error { return owner.ServeSnapshot(ctx, "user", countedRows) })
	w.Register("plain", want("user"))
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	begun := make(map[string]bool)
	for _, point := range []string{"recorded", "fill", "fill:3", "record:3", "fill done"} {
		hub.Stop()
		hub.StartToFail(point)
		rose := hub.Resurrect(killTime)
		// Each request is short: one that goes down with the hub has no answer.
		ask := func(subject, request string, reply any) error {
			m, err := w.NC.Request(subject, []byte(request), 500*time.Millisecond)
			if err != nil {
				return err
			}
			return json.Unmarshal(m.Data, reply)
		}
		var reply contract.Backfilling
		w.Eventually("a backfill to be in force", settleWithin, func() error {
			if err := ask("replhub.backfill.plain", `{"entity":"user"}`, &reply); err != nil || reply.ID == "" {
				return fmt.Errorf("%+v, %w", reply, err)
			}
			return nil
		})
		begun[reply.ID] = true
		w.Eventually("its end", settleWithin, func() error {
			var s contract.LaneStatus
			if err := ask("replhub.describe.plain", "", &s); err != nil {
				return err
			}
			if !slices.ContainsFunc(s.Filled, func(f contract.FilledStatus) bool { return f.ID == reply.ID }) {
				return fmt.Errorf("%s: %s, fill %+v", s.State, s.Reason, s.Fill)
			}
			return nil
		})
		if !rose() {
			t.Fatalf("%s: the hub was not killed", point)
		}
		hub.AwaitReady()
	}
	writers.Stop()
	checkBackfills(t, w.Read("SUB_plain"), begun)
}

func countedRows(_ context.Context, after string, yield func(replhub.Event) error) error {
	first := 0
	if after != "" {
		n, err := strconv.Atoi(after)
		if err != nil {
			return err
		}
		first = n + 1
	}
	for i := first; i < backfillRows; i++ {
		key := fmt.Sprintf("%06d", i)
		if err := yield(replhub.Event{Key: key, Data: fmt.Appendf(nil, `{"id":%q}`, key)}); err != nil {
			return err
		}
	}
	return nil
}

// checkBackfills insists that the rows of each backfill are numbered 1 to the
// last, each once and in order, and that events ascend.
func checkBackfills(t *testing.T, lane []harness.Stored, begun map[string]bool) {
	t.Helper()
	rows := make(map[string]int)
	last, events := 0, 0
	for _, m := range lane {
		number, err := strconv.Atoi(m.Header.Get("Replhub-Row"))
		if err != nil {
			var seq int
			if _, err := fmt.Sscanf(m.Header.Get("Replhub-Position"), "1-%d", &seq); err != nil {
				continue // a state record
			}
			if seq <= last {
				t.Fatalf("event %d behind %d", seq, last)
			}
			last = seq
			events++
			continue
		}
		id, _, _ := strings.Cut(m.Header.Get("Replhub-Id"), "-")
		if rows[id]++; number != rows[id] {
			t.Fatalf("row %d of %s, want row %d", number, id, rows[id])
		}
	}
	// One more than is known may have begun and ended before its answer was lost.
	for id, n := range rows {
		if n != backfillRows {
			t.Errorf("%d rows of %s", n, id)
		}
	}
	for id := range begun {
		if rows[id] == 0 {
			t.Errorf("no rows of %s", id)
		}
	}
	if events == 0 {
		t.Error("no live events")
	}
}
