package view

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/internal/contract"
)

func TestPattern(t *testing.T) {
	for _, tt := range [][2]string{
		{"", ""},
		{"no such key: n", "no such key: n"},
		{"row 42 of 7", "row ‹n› of ‹n›"},
		{"took 1.5e3 ms, -3 left", "took ‹n› ms, ‹n› left"},
		{`column "name" of 'users'`, "column ‹text› of ‹text›"},
		{`it said "a \"quoted\" 7"`, "it said ‹text›"},
		{"id 6F9619FF-8B86-d011-b42d-00c04fc964ff is taken", "id ‹uuid› is taken"},
		{"at 2026-11-28T23:40:20.123Z", "at ‹time›"},
		{"since 2026-11-28", "since ‹time›"},
		{"dial tcp 10.0.0.7:5432: refused", "dial tcp ‹address›: refused"},
		{"pointer 0xc000012345 and digest 9f86d081884c7d65", "pointer ‹hex› and digest ‹hex›"},
		{"added a face to the cafe", "added a face to the cafe"},
		{"don't stop", "don't stop"},
	} {
		if got := Pattern(tt[0]); got != tt[1] {
			t.Errorf("Pattern(%q) = %q, want %q", tt[0], got, tt[1])
		}
	}
	if got := Pattern(strings.Repeat("ü", 1000)); len(got) > maxPattern+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("row 42: \"x\" 0xff")
	f.Fuzz(func(t *testing.T, text string) {
		if got := Pattern(text); len(got) > maxPattern+len("…") {
			t.Errorf("%d bytes of %q", len(got), text)
		}
	})
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(1000): "1\u202f000", Count(1234567): "1\u202f234\u202f567",
		Bytes(1023): "1023 B", Bytes(1 << 10): "1.0 KiB", Bytes(3 << 29): "1.5 GiB", Bytes(1 << 63): "8.0 EiB",
		Seconds(0.02): "20 ms", Seconds(59.9): "59.9 s", Seconds(600): "10 min", Seconds(86400): "24 h", Seconds(864000): "10 days",
		Plural(1, "copy"): "1 copy", Plural(2, "copy"): "2 copies", Plural(0, "letter"): "0 letters",
		Rate(0): "0/s", Rate(2.54): "2.5/s", Rate(2500): "2\u202f500/s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// thousand are lanes of which some are in trouble.
func thousand() *Snapshot {
	s := &Snapshot{At: time.Unix(1000, 0), Next: time.Unix(1030, 0), Status: contract.Status{Hub: "a", Hubs: []string{"a", "b"}}}
	for i := range 1000 {
		lane := contract.LaneStatus{Service: fmt.Sprintf("s%04d", i), State: contract.LaneLive, Owner: []string{"a", "b"}[i%2], Lag: uint64(i)}
		for e := range i % 15 {
			lane.Interests = append(lane.Interests, contract.InterestStatus{Entity: fmt.Sprintf("e%02d", e)})
		}
		switch i {
		case 700:
			lane.State, lane.Reason = contract.LaneDetached, "trimmed"
		case 800:
			lane.DeadLetters = 3
		case 900:
			lane.Unavailable = []contract.Unavailable{{Instance: "x"}}
		}
		s.Lanes = append(s.Lanes, lane)
	}
	return s
}

// At 1000 services the page is one of fifty, with what is in trouble first.
func TestOverviewOfAThousand(t *testing.T) {
	services := func(o Overview) (names []string) {
		for _, r := range o.Rows {
			names = append(names, r.Service)
		}
		return names
	}
	for query, want := range map[string]struct {
		first           []string
		matching, pages int
	}{
		"":                           {[]string{"s0700", "s0900", "s0800", "s0000"}, 1000, 20},
		"sort=service&page=20":       {[]string{"s0950", "s0951"}, 1000, 20},
		"sort=service&page=999":      {[]string{"s0950"}, 1000, 20},
		"sort=lag":                   {[]string{"s0999", "s0998"}, 1000, 20},
		"sort=dead":                  {[]string{"s0800", "s0000"}, 1000, 20},
		"q=S07&sort=service":         {[]string{"s0070"}, 0, 0},
		"q=s09&sort=service&page=-1": {[]string{"s0900"}, 100, 2},
		"state=detached":             {[]string{"s0700"}, 1, 1},
		"entity=e13":                 {[]string{"s0014"}, 66, 2},
		"hub=b&sort=service":         {[]string{"s0001", "s0003"}, 500, 10},
		"q=nowhere":                  {nil, 0, 1},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		o := NewOverview(thousand(), ParseQuery(values))
		got := services(o)
		if query == "q=S07&sort=service" {
			want.first, want.matching, want.pages = []string{"s0700"}, 100, 2
		}
		if len(got) > PageSize || len(got) < len(want.first) || !slices.Equal(got[:len(want.first)], want.first) {
			t.Errorf("%s: %v", query, got)
		}
		if o.Matching != want.matching || o.Pager.Pages != want.pages || o.All != 1000 {
			t.Errorf("%s: %d of %d on %d pages", query, o.Matching, o.All, o.Pager.Pages)
		}
		if len(o.Columns) > maxColumns {
			t.Errorf("%s: %d columns", query, len(o.Columns))
		}
		if again, err := url.ParseQuery(ParseQuery(values).Encode()); err != nil || ParseQuery(again) != ParseQuery(values) {
			t.Errorf("%s: encoded as %s", query, ParseQuery(values).Encode())
		}
	}
	o := NewOverview(thousand(), ParseQuery(url.Values{"entity": {"e13"}}))
	if o.Columns[0] != "e13" {
		t.Errorf("columns %v: the one that was asked for is first", o.Columns)
	}
	if diff := cmp.Diff([]HubLine{{"a", 500, true}, {"b", 500, false}}, o.Hubs); diff != "" {
		t.Errorf("hubs (-want +got):\n%s", diff)
	}
}

func TestTroubleIsSaid(t *testing.T) {
	waits := contract.FillStatus{Kind: contract.FillSnapshot, Stalled: "no instance serves a snapshot"}
	for _, c := range []struct {
		lane  contract.LaneStatus
		level Level
		why   string
	}{
		{contract.LaneStatus{State: contract.LaneLive}, Good, ""},
		{contract.LaneStatus{State: contract.LaneStalled, DeadLetters: 1}, Bad, ""},
		{contract.LaneStatus{State: contract.LaneLive, Unavailable: []contract.Unavailable{{}}, DeadLetters: 1}, Bad, "instances wait"},
		{contract.LaneStatus{State: contract.LaneFilling, Fill: &waits}, Bad, "rows do not come"},
		{contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{}, OtherFills: []contract.FillStatus{waits}}, Bad, "rows do not come"},
		{contract.LaneStatus{State: contract.LaneFilling, Fill: &contract.FillStatus{}}, Good, ""},
		{contract.LaneStatus{State: contract.LaneLive, LagSeconds: lateSeconds, DeadLetters: 1}, Warn, "late"},
		{contract.LaneStatus{State: contract.LaneLive, DeadLetters: 1}, Warn, "dead letters"},
	} {
		if level, why := judge(&c.lane); level != c.level || why != c.why {
			t.Errorf("%+v is %s, %q", c.lane, level, why)
		}
	}
}

func TestAdvice(t *testing.T) {
	for text, service := range map[string]string{
		"registry unreachable: refused":              "",
		"lane sharing detached: trimmed":             "sharing",
		"lane sharing stalled: full (since x)":       "sharing",
		"lane sharing is incompatible: v9":           "sharing",
		"lane sharing held: its policy":              "sharing",
		"lane sharing waits for a snapshot: no one":  "sharing",
		"stream DB is gone: somebody deleted it; it": "",
	} {
		if a := Advise(text); a.Service != service || a.Advice == unknownAdvice {
			t.Errorf("%s: %+v", text, a)
		}
	}
	if a := Advise("something new"); a.Advice != unknownAdvice {
		t.Errorf("%+v", a)
	}
}

func TestGroups(t *testing.T) {
	at := func(i int) time.Time { return time.Unix(int64(1000+i*100), 0) }
	groups := Groups([]Letter{
		{Seq: 1, Service: "a", Reason: "parked", ErrText: "row 1", Entity: "user", Time: at(0)},
		{Seq: 3, Service: "a", Reason: "parked", ErrText: "row 22", Entity: "tenant", Time: at(2)},
		{Seq: 2, Service: "b", Reason: "parked", ErrText: "row 1", Entity: "user", Time: at(1)},
		{Seq: 4, Service: "a", Reason: "max_deliver", ErrText: "row 1", Entity: "user", Time: at(3)},
	})
	var got [][]uint64
	for _, g := range groups {
		got = append(got, g.Seqs)
	}
	if diff := cmp.Diff([][]uint64{{4}, {1, 3}, {2}}, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	g := groups[1]
	if g.Pattern != "row ‹n›" || g.Sample != "row 22" || g.Entities != "tenant, user" || g.Newest != 3 || g.First != Time(at(0)) || g.Last != Time(at(2)) {
		t.Errorf("%+v", g)
	}
	if diff := cmp.Diff([]Bar{{X: 0, Y: 0, Height: 24, Count: 1}, {X: 160, Y: 0, Height: 24, Count: 1}}, g.Bars); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	if len(Groups(nil)) != 0 {
		t.Error("groups of nothing")
	}
}

func TestGroupIsTheOneThatWasShown(t *testing.T) {
	shown := Groups([]Letter{{Seq: 1, Service: "a", ErrText: "row 1"}, {Seq: 2, Service: "a", ErrText: "row 2"}})
	now := Groups([]Letter{{Seq: 2, Service: "a", ErrText: "row 2"}, {Seq: 9, Service: "a", ErrText: "row 9"}})
	g, found := Find(now, shown[0].ID, shown[0].Newest)
	if !found || !slices.Equal(g.Seqs, []uint64{2}) || g.Count != 1 {
		t.Errorf("%+v, %v: the letter that came later is not part of it", g, found)
	}
	if _, found := Find(now, shown[0].ID, 1); found {
		t.Error("a group without letters")
	}
	if _, found := Find(now, "other", 9); found {
		t.Error("another group")
	}
}

func TestFills(t *testing.T) {
	p, now := NewProgress(), time.Unix(1000, 0)
	began := now.Add(-10 * time.Second)
	fill := func(at uint64) *contract.FillStatus {
		return &contract.FillStatus{Kind: contract.FillEvents, Entities: []string{"user"}, From: 100, At: at, To: 1100}
	}
	rows := func(id string, n uint64, stalled string) *contract.FillStatus {
		return &contract.FillStatus{Kind: contract.FillSnapshot, ID: id, Entities: []string{"user"}, Rows: n, Total: 1000, Began: &began, Stalled: stalled}
	}
	for i, tt := range []struct {
		fill  *contract.FillStatus
		after time.Duration
		want  FillLine
	}{
		{fill(100), 0, FillLine{Kind: "events", Entities: "user", Done: "0 of 1\u202f000 events", Known: true}},
		{fill(350), 10 * time.Second, FillLine{Kind: "events", Entities: "user", Done: "250 of 1\u202f000 events", Ratio: 25, Known: true, Rate: "25/s", Remaining: "30.0 s"}},
		{fill(1101), 20 * time.Second, FillLine{Kind: "events", Entities: "user", Done: "1\u202f001 of 1\u202f001 events", Ratio: 100, Known: true, Rate: "50/s", Remaining: "0 s"}},
		{&contract.FillStatus{Kind: contract.FillSnapshot, Entities: []string{"user"}, Rows: 500, Began: &began}, 0, FillLine{Kind: "snapshot", Entities: "user", Done: "500 rows", Rate: "50/s"}},
		{&contract.FillStatus{Kind: contract.FillSnapshot, Entities: []string{"user"}, Stalled: "no owner"}, 0, FillLine{Kind: "snapshot", Entities: "user", Done: "0 rows", Stalled: "no owner"}},
		{rows("b", 200, "no owner"), time.Hour, FillLine{Kind: "snapshot", Entities: "user", Done: "200 of about 1\u202f000 rows", Ratio: 20, Known: true, Stalled: "no owner"}},
		{rows("b", 400, ""), time.Hour + 10*time.Second, FillLine{Kind: "snapshot", Entities: "user", Done: "400 of about 1\u202f000 rows", Ratio: 40, Known: true, Rate: "20/s", Remaining: "30.0 s"}},
		{rows("b", 1200, ""), time.Hour + 50*time.Second, FillLine{Kind: "snapshot", Entities: "user", Done: "1\u202f200 of about 1\u202f200 rows", Ratio: 100, Known: true, Rate: "20/s"}},
	} {
		if diff := cmp.Diff(tt.want, p.line("sharing", tt.fill, now.Add(tt.after))); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFates(t *testing.T) {
	twice := uint64(2)
	for _, tt := range []struct {
		e       contract.Explained
		outcome string
		level   Level
		says    string
	}{
		{contract.Explained{Verdict: contract.VerdictFiltered, Reason: "the filter says no"}, "filtered", Good, "The filter says no."},
		{contract.Explained{Verdict: contract.VerdictPending}, "pending", Warn, ""},
		{contract.Explained{Verdict: contract.VerdictDetached}, "detached", Bad, ""},
		{contract.Explained{Verdict: contract.VerdictCopied, Copy: &contract.ExplainedCopy{Seq: 7, State: contract.CopyDelivered, Delivered: &twice, Consumer: "workers"}}, "delivered", Warn, "message 7 of the lane, in the queue workers, delivered 2 times"},
		{contract.Explained{Verdict: contract.VerdictCopied, Copy: &contract.ExplainedCopy{Seq: 7, State: contract.CopyAcknowledged}, Redriven: []uint64{9}}, "acknowledged", Good, "message 9"},
		{contract.Explained{Verdict: contract.VerdictCopied, Copy: &contract.ExplainedCopy{State: contract.CopyGivenUp}, Letters: []contract.ExplainedLetter{{Seq: 3, Reason: "parked", Attempts: 1}}}, "given up", Bad, "Dead letter 3: parked"},
		{contract.Explained{Verdict: contract.VerdictDeadLettered, Reason: "it is dead letter 3", Letters: []contract.ExplainedLetter{{Seq: 3, Reason: "filter_error", Error: "no such key"}}}, "dead lettered", Bad, "Dead letter 3: filter_error: no such key."},
	} {
		f := NewFate(&tt.e)
		if strings.Contains(strings.Join(f.Story, " "), "It is dead letter") {
			t.Errorf("told twice: %q", f.Story)
		}
		if f.Outcome != tt.outcome || f.Level != tt.level || !strings.Contains(strings.Join(f.Story, " "), tt.says) {
			t.Errorf("%+v: %+v", tt.e, f)
		}
	}
}

func TestRegistration(t *testing.T) {
	r := NewRegistration("new", "user", "data.x == 'it''s' && true", []string{"id", "name"})
	want := Registration{
		JSON: `nats req replhub.register.new '{"interests":[{"entity":"user","filter":"data.x == '\''it'\'''\''s'\'' && true","fields":["id","name"]}]}'`,
		CLI:  `replhub register new user --filter 'data.x == '\''it'\'''\''s'\'' && true' --fields 'id,name'`,
		Go:   `replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Filter: "data.x == 'it''s' && true", Fields: []string{"id", "name"}}}}`,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPageOf(t *testing.T) {
	list := make([]int, 2*PageSize+1)
	for i := range list {
		list[i] = i
	}
	for page, want := range map[int]struct {
		Pager
		first, n int
	}{
		-1: {Pager{1, 3, 0, 2}, 0, PageSize}, 1: {Pager{1, 3, 0, 2}, 0, PageSize}, 2: {Pager{2, 3, 1, 3}, PageSize, PageSize},
		3: {Pager{3, 3, 2, 0}, 2 * PageSize, 1}, 99: {Pager{3, 3, 2, 0}, 2 * PageSize, 1},
	} {
		p, got := PageOf(list, page)
		if p != want.Pager || len(got) != want.n || got[0] != want.first {
			t.Errorf("page %d: %+v from %v", page, p, got)
		}
	}
	if p, got := PageOf[int](nil, 1); p != (Pager{Page: 1, Pages: 1}) || len(got) != 0 {
		t.Errorf("of nothing: %+v, %v", p, got)
	}
}

// A fault of a thousand lanes leaves room for the table.
func TestOverviewOfManyReasons(t *testing.T) {
	s := thousand()
	for i := range 1000 {
		s.Status.Degraded = append(s.Status.Degraded, fmt.Sprintf("lane s%04d stalled: the lane is full", i))
	}
	if o := NewOverview(s, Query{}); len(o.Degraded) != maxReasons || o.Further != 1000-maxReasons {
		t.Errorf("%d reasons, and %d further ones", len(o.Degraded), o.Further)
	}
}
