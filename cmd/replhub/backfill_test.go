package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

func begun() contract.Backfilling {
	return contract.Backfilling{
		Service: "sharing", Entity: "user", Filter: "data.n == 1", ID: "b1", Epoch: 1, Seq: 1042, Began: *at("03:04:05"),
		Warnings: []string{"the filter on user reads data.n unguarded"},
	}
}

func rowsUnderWay(rows uint64, after, stalled string) contract.LaneStatus {
	return contract.LaneStatus{Service: "sharing", State: contract.LaneFilling, Reason: stalled, Fill: &contract.FillStatus{
		Kind: contract.FillBackfill, ID: "b1", Filter: "data.n == 1", Entities: []string{"user"}, Rows: rows, After: after, Began: at("03:04:05"), Stalled: stalled,
	}}
}

func rowsDone() contract.LaneStatus {
	return contract.LaneStatus{Service: "sharing", State: contract.LaneLive, Filled: []contract.FilledStatus{
		{ID: "b0", Entity: "user", Rows: 1, Began: *at("01:00:00"), Ended: *at("01:00:01")},
		{ID: "b1", Entity: "user", Rows: 12_000, Began: *at("03:04:05"), Ended: *at("03:04:35")},
	}}
}

// describes answers describe with one state after the other, the last for ever.
func (b *bench) describes(t *testing.T, states ...any) {
	t.Helper()
	var mu sync.Mutex
	b.serve(t, "replhub.describe.sharing", func(req micro.Request) {
		mu.Lock()
		defer mu.Unlock()
		if refusal, no := states[0].(*contract.Error); no {
			_ = req.Error(string(refusal.Code), refusal.Message, []byte(`{"error":{"code":"not_found","message":"no such service"}}`))
			return
		}
		_ = req.RespondJSON(states[0])
		if len(states) > 1 {
			states = states[1:]
		}
	})
}

func TestBackfillShowsHowFarItIs(t *testing.T) {
	elsewhere := rowsUnderWay(12_000, "k12000", "")
	elsewhere.Fill.ID = "b2" // begun again
	full := rowsUnderWay(7, "k7", "")
	full.State, full.Reason = contract.LaneStalled, "the lane is full: 1.0 GiB wait for its workers"
	behind := rowsUnderWay(7, "k7", "")
	behind.OtherFills, behind.Fill = []contract.FillStatus{*behind.Fill}, &contract.FillStatus{Kind: contract.FillEvents, Entities: []string{"user"}, From: 1, At: 5, To: 9}
	again := rowsDone()
	again.Filled[1].ID = "b2"
	underWay := begun()
	underWay.UnderWay, underWay.Rows = true, 7
	detached := contract.LaneStatus{Service: "sharing", State: contract.LaneDetached, Reason: "events it still needed are gone"}
	for name, tt := range map[string]struct {
		reply  contract.Backfilling
		states []any
	}{
		"backfill":           {begun(), []any{rowsUnderWay(0, "", "no instance serves a snapshot of user: start its owner"), rowsUnderWay(7, "k\x1b7", ""), rowsUnderWay(7, "k\x1b7", ""), rowsDone()}},
		"backfill-under-way": {underWay, []any{full, behind, rowsDone()}},
		"backfill-again":     {begun(), []any{rowsUnderWay(7, "k7", ""), elsewhere, again}},
		"backfill-ended":     {begun(), []any{rowsUnderWay(7, "k7", ""), detached}},
		"backfill-dropped":   {begun(), []any{rowsUnderWay(7, "k7", ""), contract.Errorf(contract.CodeNotFound, "no such service")}},
	} {
		t.Run(name, func(t *testing.T) {
			for suffix, flags := range map[string][]string{"": nil, "-json": {"--json"}} {
				b := newBench(t)
				b.answer(t, "replhub.backfill.sharing", tt.reply)
				b.describes(t, tt.states...)
				args := append([]string{"backfill", "sharing", "user", "--where", "data.n == 1", "--interval", "1ms"}, flags...)
				b.golden(t, name+suffix, execute(t.Context(), "", args...))
				if got, want := <-b.asked, `replhub.backfill.sharing {"entity":"user","filter":"data.n == 1"}`; got != want {
					t.Errorf("asked %s\nwant  %s", got, want)
				}
			}
		})
	}
}

// Ctrl-C ends the watching alone, and says so.
func TestBackfillInterrupted(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.backfill.sharing", begun())
	ctx, interrupt := context.WithCancel(t.Context())
	looks := 0
	b.serve(t, "replhub.describe.sharing", func(req micro.Request) {
		if looks++; looks == 3 {
			interrupt()
		}
		_ = req.RespondJSON(rowsUnderWay(7, "k7", ""))
	})
	b.golden(t, "backfill-interrupted", execute(ctx, "", "backfill", "sharing", "user", "--interval", "1ms"))
}

// A person sees one line that changes.
func TestBackfillOnATerminal(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.backfill.sharing", begun())
	b.describes(t, rowsUnderWay(7, "k7", ""), rowsUnderWay(8, "k8", ""), rowsDone())
	var out strings.Builder
	a := &app{in: strings.NewReader(""), out: &out, errOut: io.Discard, isTerminal: func(any) bool { return true }}
	code := a.run(t.Context(), []string{"backfill", "sharing", "user", "--interval", "1ms"})
	want := overwriteLine + `7 rows, up to key "k7"` + overwriteLine + `8 rows, up to key "k8"` + overwriteLine + "copied 12000 rows into the service's stream in 30s\n"
	if code != exitDone || !strings.HasSuffix(out.String(), want) {
		t.Errorf("exit %d, output %q", code, out.String())
	}
}

// A hub that is away for a while is said once and waited for.
func TestBackfillWaitsForAHub(t *testing.T) {
	b := newBench(t)
	b.answer(t, "replhub.backfill.sharing", begun())
	done := make(chan outcome, 1)
	ctx := context.WithoutCancel(t.Context())
	go func() { done <- execute(ctx, "", "backfill", "sharing", "user", "--interval", "1ms") }()
	<-b.asked
	time.AfterFunc(50*time.Millisecond, func() { b.describes(t, rowsDone()) })
	o := <-done
	if o.code != exitDone || strings.Count(o.stderr, "error: no hub answers") != 1 || !strings.Contains(o.stdout, "copied 12000 rows") {
		t.Errorf("exit %d, stdout %q, stderr %q", o.code, o.stdout, o.stderr)
	}
}
