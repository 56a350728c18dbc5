package main

import (
	"encoding/json"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

func TestProgressText(t *testing.T) {
	for want, p := range map[string]progress{
		"user: compare":                             {What: "user: compare"},
		"user: compare: 20 rows, 10/s":              progress{What: "user: compare", Done: 20, Unit: "row"}.paced(2 * time.Second),
		"x: 1 row, 1/s, about 5s to go; it waits":   progress{What: "x", Done: 1, Of: 6, Unit: "row", Note: "it waits"}.paced(time.Second),
		"x: 10 rows, 5/s":                           progress{What: "x", Done: 10, Of: 9, Unit: "row"}.paced(2 * time.Second),
		"x: 90 letters, 1/s, about 2m30s to go; no": progress{What: "x", Done: 90, Of: 240, Unit: "letter", Note: "no"}.paced(90 * time.Second),
	} {
		if got := p.text(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A redrive of several pages shows its progress to a person, and to others if they ask.
func TestRedriveShowsItsProgress(t *testing.T) {
	for name, tt := range map[string]struct {
		args     []string
		terminal bool
		want     string
	}{
		"terminal":          {nil, true, overwriteLine + "sharing: 2 dead letters, "},
		"elsewhere":         {nil, false, ""},
		"asked for":         {[]string{"--progress"}, false, "sharing: 2 dead letters, "},
		"JSON":              {[]string{"--json"}, true, ""},
		"JSON and progress": {[]string{"--json", "--progress"}, false, `{"progress":{"what":"sharing","done":2,"of":4,"unit":"dead letter",`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.answer(t, "replhub.describe.sharing", contract.LaneStatus{Service: "sharing", DeadLetters: 4})
			var pages atomic.Int32
			b.serve(t, "replhub.redrive.sharing", func(req micro.Request) {
				n := pages.Add(1)
				_ = req.RespondJSON(contract.Redriven{Service: "sharing", Redriven: 2, More: n < 2, Next: uint64(n)})
			})
			var out, errOut strings.Builder
			a := &app{in: strings.NewReader(""), out: &out, errOut: &errOut, isTerminal: func(any) bool { return tt.terminal }}
			if code := a.run(t.Context(), append([]string{"dlq", "redrive", "sharing", "--all"}, tt.args...)); code != exitDone {
				t.Fatalf("exit %d: %s", code, &errOut)
			}
			if got := errOut.String(); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("stderr %q, want %q", got, tt.want)
			}
			if tt.terminal && tt.want != "" && !strings.HasSuffix(errOut.String(), overwriteLine) {
				t.Errorf("the line stays: %q", errOut.String())
			}
			for line := range strings.Lines(errOut.String()) {
				if strings.HasPrefix(line, "{") && !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}

// A backfill tells its rate after one second, and measures it again after a wait.
func TestBackfillRate(t *testing.T) {
	w := &backfillWatch{app: &app{out: io.Discard}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		after time.Duration
		rows  uint64
		want  float64
	}{{0, 100, 0}, {900 * time.Millisecond, 200, 0}, {2 * time.Second, 300, 100}, {4 * time.Second, 300, 50}, {time.Hour, 300, 0}, {time.Hour + 2*time.Second, 500, 100}, {2 * time.Hour, 10, 0}} {
		if got := w.rate(tt.rows, at.Add(tt.after), tt.after == time.Hour); got != tt.want {
			t.Errorf("%d rows after %s: %.1f/s, want %.1f", tt.rows, tt.after, got, tt.want)
		}
	}
}
