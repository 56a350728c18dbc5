package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/push"
	"github.com/replhub/replhub/replhubtest"
)

// A line says what the command does now, and only if something but the rate has changed.
func TestStatusOfALine(t *testing.T) {
	var out strings.Builder
	s := &statusLines{app: &app{out: &out, lines: true}}
	for _, p := range []apply.Progress{
		{Filling: []string{"user", "tenant", "user"}, Rows: 7, Left: 3},
		{Applied: 4, Left: 3, Rate: 2.04, Remaining: 1500 * time.Millisecond},
		{Applied: 4, Left: 3, Rate: 1},
		{Applied: 4, Left: 3, Waits: "the database is away"},
		{Applied: 7, DeadLetters: 1},
	} {
		s.show(applyLine("sharing", p))
	}
	s.show(pushLine(push.Summary{Service: "hook", Delivered: 2}, []string{"the endpoint is away"}, &replhub.Status{Backlog: 1, Lag: 2}))
	want := []string{
		`{"state":"copying","service":"sharing","done":0,"left":3,"copying":["tenant","user"],"rows":7,"dead_letters":0}`,
		`{"state":"working","service":"sharing","done":4,"rate":2,"left":3,"remaining_seconds":2,"dead_letters":0}`,
		`{"state":"waiting","service":"sharing","done":4,"left":3,"dead_letters":0,"reason":"the database is away"}`,
		`{"state":"caught_up","service":"sharing","done":7,"left":0,"dead_letters":1}`,
		`{"state":"waiting","service":"hook","done":2,"left":3,"dead_letters":0,"reason":"the endpoint is away"}`,
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	for n := range got {
		before, rest, _ := strings.Cut(got[n], `"time":"`)
		_, after, _ := strings.Cut(rest, `",`)
		if got[n] = before + after; n >= len(want) || got[n] != want[n] {
			t.Errorf("line %d: %s", n, got[n])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines", len(got))
	}
}

// apply and push print lines of JSON while they run, and a last one at their end.
func TestStatusLines(t *testing.T) {
	b := newApplyBench(t, "sqlite", sqltest.SQLite(t))
	b.exec(t, "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)")
	b.users(t, 0, 3, "Ada")
	endpoint := newHook(t)
	t.Setenv(envPushSecret, pushSecret)
	for command, args := range map[string][]string{
		"apply": {"--table", "user=people", "--start", "earliest"},
		"push":  {"--url", endpoint.URL, "--ca", endpoint.ca, "--allow-private", "--entity", "user", "--start", "all"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		stdout, ended := &syncBuffer{}, make(chan int, 1)
		go func() {
			ended <- run(ctx, append([]string{command, "by-" + command, "--json", "--http-addr", "none"}, args...), strings.NewReader(""), stdout, testWriter{t})
		}()
		replhubtest.Await(t, command+" to catch up", func() error {
			for _, line := range linesOf(t, stdout.String()) {
				if line.State == statusCaughtUp && line.Done == 3 {
					return nil
				}
			}
			return fmt.Errorf("printed %s", stdout.String())
		})
		stop()
		if code := <-ended; code != exitDone {
			t.Errorf("%s: exit %d", command, code)
		}
		if lines := linesOf(t, stdout.String()); lines[len(lines)-1].State != statusStopped {
			t.Errorf("%s: the last line is %+v", command, lines[len(lines)-1])
		}
	}
	o := execute(t.Context(), "", "apply", "by-apply", "--table", "user=nobody", "--json", "--http-addr", "none")
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); o.code != exitFailed || len(lines) != 1 || !strings.Contains(lines[0], `"findings":["table nobody`) {
		t.Errorf("%+v", o)
	}
}

func linesOf(t *testing.T, text string) (all []statusLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var one statusLine
		if strings.HasSuffix(line, "\n") {
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			all = append(all, one)
		}
	}
	return all
}
