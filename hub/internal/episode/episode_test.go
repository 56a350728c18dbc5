package episode_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replhub/replhub/hub/internal/episode"
)

func TestEpisode(t *testing.T) {
	const settle = 5 * time.Second
	type step struct {
		after time.Duration
		fails string // empty: it goes well
		want  string
	}
	for name, steps := range map[string][]step{
		"nothing happens": {{0, "", ""}, {time.Hour, "", ""}},
		"one failure":     {{0, "a", "began"}, {time.Second, "", ""}, {5 * time.Second, "", "over 1s 1"}, {time.Second, "", ""}},
		"a turn that happens to succeed ends nothing": {
			{0, "full", "began"},
			{time.Second, "", ""},
			{time.Second, "full", ""},
			{4 * time.Second, "", ""},
			{4 * time.Second, "full", ""},
			{time.Second, "", ""},
			{4 * time.Second, "", ""},
			{time.Second, "", "over 11s 3"},
		},
		"reasons are told once each": {
			{0, "a", "began"}, {0, "b", "changed"}, {0, "a", ""}, {0, "b", ""}, {time.Second, "c", "changed"}, {0, "a", ""},
		},
		"numbers are no other reason": {{0, "10 of 20 bytes", "began"}, {0, "11 of 20 bytes", ""}, {0, "11 of 20 letters", "changed"}},
		"the next one is another":     {{0, "a", "began"}, {0, "", ""}, {settle, "", "over 0s 1"}, {0, "a", "began"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := episode.Episode{Settle: settle}
			now, began := time.Unix(1000, 0), time.Time{}
			for i, s := range steps {
				now = now.Add(s.after)
				got := ""
				if s.fails == "" {
					if news, lasted, failures := e.Succeed(now); news == episode.Over {
						got, began = fmt.Sprintf("over %s %d", lasted, failures), time.Time{}
					}
				} else {
					got = map[episode.News]string{episode.Began: "began", episode.Changed: "changed"}[e.Fail(now, s.fails)]
				}
				if got == "began" {
					began = now
				}
				if got != s.want || !e.Since().Equal(began) || e.Open() != !began.IsZero() || (e.Reason() == "") == e.Open() {
					t.Fatalf("step %d: %q, want %q; since %s, reason %q", i, got, s.want, e.Since(), e.Reason())
				}
			}
		})
	}
}

// However many reasons there are, what is told is bounded.
func TestManyReasons(t *testing.T) {
	var e episode.Episode
	told := 0
	for i := range 100 {
		if e.Fail(time.Unix(0, 0), strings.Repeat("x", i)) != episode.Nothing {
			told++
		}
	}
	if told > 10 {
		t.Errorf("%d reasons told", told)
	}
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logs := episode.NewLogs(slog.New(slog.NewTextHandler(&out, nil)), "trim", 5*time.Second)
		away := errors.New("away")
		for range 50 {
			logs.Met("a", away)
			logs.Met("b", nil)
			<-time.After(time.Second)
		}
		logs.Met("a", nil)
		<-time.After(5 * time.Second)
		logs.Met("a", nil)
		logs.Met("a", nil)
		if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "lasted=50s failures=50") {
			t.Errorf("%d lines:\n%s", n, &out)
		}
		logs.Met("c", away)
		logs.Forget("c")
		logs.Met("c", nil)
	})
}

// What decides by the cause of trouble needs the error, not its words.
func TestCauseIsTheLatestError(t *testing.T) {
	var e episode.Episode
	first, second := errors.New("first"), errors.New("second")
	now := time.Now()
	for _, step := range []struct {
		do   func()
		want error
	}{
		{func() { e.FailWith(now, first) }, first},
		{func() { e.FailWith(now, second) }, second},
		{func() { e.Fail(now, "in words") }, nil},
		{func() { e.FailWith(now, first) }, first},
		{func() { e.Succeed(now) }, nil},
	} {
		step.do()
		if got := e.Cause(); !errors.Is(got, step.want) {
			t.Errorf("cause %v, want %v", got, step.want)
		}
	}
}
