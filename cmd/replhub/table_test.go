package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/contract"
)

// Every table fits the terminal, however narrow, and nothing is cut where there
// is none.
func TestTablesFitTheTerminal(t *testing.T) {
	wide := application()
	wide.Service, wide.Reason = strings.Repeat("s", 63), strings.Repeat("wörter aus 東京 ", 20)
	wide.Interests[0].Filter = strings.Repeat("data.tenant == 'acme' || ", 20)
	for _, verb := range []struct {
		args  string
		reply any
	}{
		{"ls", contract.Services{Services: []contract.LaneStatus{wide, sharing()}}},
		{"describe x", wide},
		{"who user", contract.Interested{Entity: "user", Services: wide.Interests}},
		{"status", status()},
		{"explain x 1", contract.Explained{Service: "x", Seq: 1, Epoch: 1, Key: strings.Repeat("k", 300), Verdict: contract.VerdictOp}},
	} {
		b := newBench(t)
		name, _, of := strings.Cut(verb.args, " ")
		subject := map[string]string{"ls": "replhub.services", "who": "replhub.who", "status": "replhub.status"}[name]
		if subject == "" && of {
			subject = "replhub." + name + ".x"
		}
		b.answer(t, subject, verb.reply)
		for _, columns := range []int{0, 30, 80, 200} {
			var stdout, stderr bytes.Buffer
			a := &app{
				in: strings.NewReader(""), out: &stdout, errOut: &stderr,
				isTerminal: func(any) bool { return columns > 0 }, columns: func(any) int { return columns },
			}
			if code := a.run(t.Context(), strings.Fields(verb.args)); code != exitDone {
				t.Fatalf("%s: exit %d: %s", verb.args, code, stderr.String())
			}
			cut := false
			for line := range strings.Lines(stdout.String()) {
				line = strings.TrimSuffix(line, "\n")
				cut = cut || strings.HasSuffix(line, cutMark) || strings.Contains(line, cutMark+" ")
				if columns > 0 && textWidth(line) > columns && !strings.HasPrefix(line, contract.VerdictOp) {
					t.Errorf("%s at %d columns: %d cells: %s", verb.args, columns, textWidth(line), line)
				}
			}
			if columns == 0 && cut {
				t.Errorf("%s: cut without a terminal:\n%s", verb.args, stdout.String())
			}
		}
	}
}

func TestTableLayout(t *testing.T) {
	list := newTable("SERVICE", "LAG", "REASON")
	list.row("application", "12", "the lane is full: 1.0 GiB wait")
	list.row("東京", "0", "")
	pairs := newTable("service", "application")
	pairs.pair("reason", "the lane is full: 1.0 GiB wait for its workers")
	for name, tt := range map[string]struct {
		table   *table
		columns int
		want    string
	}{
		"any width": {list, 0, "SERVICE      LAG  REASON\napplication  12   the lane is full: 1.0 GiB wait\n東京         0\n"},
		"it fits":   {list, 48, "SERVICE      LAG  REASON\napplication  12   the lane is full: 1.0 GiB wait\n東京         0\n"},
		"cut":       {list, 34, "SERVICE      LAG  REASON\napplication  12   the lane is ful…\n東京         0\n"},
		"narrow":    {list, 16, "SER…  LAG  REAS…\napp…  12   the…\n東京  0\n"},
		"wrapped":   {pairs, 40, "service  application\nreason   the lane is full: 1.0 GiB wait\n         for its workers\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tt.table.lines(tt.columns), "\n") + "\n"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
