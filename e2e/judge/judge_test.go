package judge_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/judge"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

// events makes user events 1 to n, of which each second is acme's.
func events(n int) []judge.Event {
	var all []judge.Event
	for i := 1; i <= n; i++ {
		tenant := []string{"acme", "other"}[i%2]
		all = append(all, judge.Event{
			Position: judge.Position{Epoch: 1, Seq: uint64(i)}, Time: day.Add(time.Duration(i)),
			Subject: "db.user.update",
			Header:  map[string][]string{"Nats-Msg-Id": {"w-" + strconv.Itoa(i)}, "X-Own": {"1"}, "nats-rollup": {"all"}},
			Data:    fmt.Appendf(nil, `{"id":"k%d","tenant":%q,"secret":1,"a":{"b":1,"c":2}}`, i%3, tenant),
		})
	}
	return all
}

// copies makes right copies of events, from a lane sequence on.
func copies(from uint64, events ...judge.Event) []judge.Message {
	var all []judge.Message
	for i, e := range events {
		all = append(all, judge.Message{
			LaneSeq: from + uint64(i), Subject: "sub.s.user.update.0", Data: e.Data,
			Header: map[string][]string{
				"X-Own": {"1"}, "Replhub-Id": e.Header["Nats-Msg-Id"],
				"Replhub-Position": {"1-" + strconv.FormatUint(e.Seq, 10)}, "Replhub-Time": {e.Time.Format(time.RFC3339Nano)},
				"Replhub-Key": {"k" + strconv.Itoa(int(e.Seq%3))}, "Nats-Expected-Last-Sequence": {"7"},
			},
		})
	}
	return all
}

func plain(since uint64) judge.Registration {
	return judge.Registration{
		Service: "s", Entity: "user", Since: judge.Position{Epoch: 1, Seq: since}, Versions: []judge.Version{{}},
	}
}

func acme(e judge.Event) bool { return e.Object()["tenant"] == "acme" }

func TestLaneVerdicts(t *testing.T) {
	e := events(6)
	all := copies(2, e...)
	moved := func(change func([]judge.Message) []judge.Message) []judge.Message { return change(copies(2, e...)) }
	only := func(d judge.Definition, since uint64) judge.Registration {
		r := plain(since)
		r.Versions[0].Definition = d
		return r
	}
	changed := func(from, by uint64) judge.Registration {
		r := plain(1)
		r.Versions = append(r.Versions, judge.Version{Definition: judge.Definition{Pass: acme}, From: from, By: by})
		return r
	}
	ended := plain(1)
	ended.Until = 4
	again := plain(2)
	again.After = 4
	type want struct{ prefix, middle, tail, twice, order, wrong, nowhere int }
	for _, c := range []struct {
		name     string
		messages []judge.Message
		regs     []judge.Registration
		want     want
	}{
		{"right", all, []judge.Registration{plain(1)}, want{}},
		{"state records are nobody's", append(all, judge.Message{LaneSeq: 99, Subject: "sub.s._state"}), []judge.Registration{plain(1)}, want{}},
		{"prefix", all[2:], []judge.Registration{plain(1)}, want{prefix: 2}},
		{"middle", slices.Concat(all[:2], all[3:]), []judge.Registration{plain(1)}, want{middle: 1}},
		{"tail", all[:5], []judge.Registration{plain(1)}, want{tail: 1}},
		{"everything", nil, []judge.Registration{plain(1)}, want{tail: 6}},
		{"from since on", all[3:], []judge.Registration{plain(4)}, want{}},
		{"before since", all[2:], []judge.Registration{plain(4)}, want{nowhere: 1}},
		{"twice", append(slices.Clone(all), copies(20, e[5])...), []judge.Registration{plain(1)}, want{twice: 1}},
		{"all twice", slices.Concat(all, copies(20, e...)), []judge.Registration{plain(1)}, want{twice: 6}},
		{"reordered", moved(func(m []judge.Message) []judge.Message { m[1], m[2] = m[2], m[1]; return m }), []judge.Registration{plain(1)}, want{order: 1}},
		{"foreign", append(slices.Clone(all), judge.Message{LaneSeq: 20, Subject: "sub.s.user.update.0"}), []judge.Registration{plain(1)}, want{nowhere: 1}},
		{"of no event", slices.Concat(all, copies(20, events(9)[8])), []judge.Registration{plain(1)}, want{nowhere: 1}},
		{"of no registration", all, nil, want{nowhere: 6}},
		{"another payload", moved(func(m []judge.Message) []judge.Message { m[0].Data = []byte("{}"); return m }), []judge.Registration{plain(1)}, want{wrong: 1}},
		{"a header too many", moved(func(m []judge.Message) []judge.Message { m[0].Header["Nats-Msg-Id"] = []string{"w-1"}; return m }), []judge.Registration{plain(1)}, want{wrong: 1}},
		{"a header too few", moved(func(m []judge.Message) []judge.Message { delete(m[0].Header, "X-Own"); return m }), []judge.Registration{plain(1)}, want{wrong: 1}},
		{"another op", moved(func(m []judge.Message) []judge.Message { m[0].Subject = "sub.s.user.create.0"; return m }), []judge.Registration{plain(1)}, want{wrong: 1}},
		{"another partition", moved(func(m []judge.Message) []judge.Message { m[0].Subject = "sub.s.user.update.1"; return m }), []judge.Registration{plain(1)}, want{wrong: 2}},
		{"filtered", copies(2, e[1], e[3], e[5]), []judge.Registration{only(judge.Definition{Pass: acme}, 1)}, want{}},
		{"filter let through", copies(2, e[0], e[1], e[3], e[5]), []judge.Registration{only(judge.Definition{Pass: acme}, 1)}, want{nowhere: 1}},
		{"secret let through", copies(2, e...), []judge.Registration{only(judge.Definition{Fields: []string{"id", "a.b"}}, 1)}, want{wrong: 6}},
		{"projected", moved(func(m []judge.Message) []judge.Message {
			for i := range m {
				m[i].Data = fmt.Appendf(nil, `{"a":{"b":1}, "id":"k%d"}`, (i+1)%3)
			}
			return m
		}), []judge.Registration{only(judge.Definition{Fields: []string{"id", "a.b", "no.such"}}, 1)}, want{}},
		{"changed at 4", copies(2, e[0], e[1], e[2], e[3], e[5]), []judge.Registration{changed(4, 4)}, want{}},
		{"changed somewhere", copies(2, e[0], e[1], e[3], e[5]), []judge.Registration{changed(1, 5)}, want{}},
		{"changed too late", copies(2, e...), []judge.Registration{changed(4, 4)}, want{nowhere: 1}},
		{"changed too early", copies(2, e[0], e[1], e[3], e[5]), []judge.Registration{changed(4, 4)}, want{middle: 1}},
		{"changed to and fro", copies(2, e[0], e[1], e[3], e[4], e[5]), []judge.Registration{changed(1, 9)}, want{nowhere: 1}},
		{"ended and again", slices.Concat(copies(2, e[:3]...), copies(6, e[1:]...)), []judge.Registration{ended, again}, want{}},
		{"ended with a hole", slices.Concat(copies(2, e[0], e[2]), copies(6, e[1:]...)), []judge.Registration{ended, again}, want{middle: 1}},
		{"again with a hole", slices.Concat(copies(2, e[:3]...), copies(6, e[2:]...)), []judge.Registration{ended, again}, want{prefix: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge.Lane{Service: "s", Events: e, Messages: c.messages, Registrations: c.regs}.Judge()
			got := want{v.Lost[judge.Prefix], v.Lost[judge.Middle], v.Lost[judge.Tail], v.Duplicates, v.Reordered, v.Wrong, v.Nowhere}
			if got != c.want {
				t.Errorf("got %+v, want %+v: %v", got, c.want, v.Err())
			}
			if (v.Err() == nil) != (c.want == want{}) {
				t.Errorf("error %v", v.Err())
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	event := func(subject, data string, header ...string) judge.Event {
		e := judge.Event{Position: judge.Position{Epoch: 1, Seq: 1}, Subject: subject, Data: []byte(data), Header: map[string][]string{}}
		for i := 0; i+1 < len(header); i += 2 {
			e.Header[header[i]] = []string{header[i+1]}
		}
		return e
	}
	for _, c := range []struct {
		name string
		d    judge.Definition
		e    judge.Event
		dead bool
	}{
		{"no such op by default", judge.Definition{}, event("db.user.read", "{}"), false},
		{"own", judge.Definition{}, event("db.user.update", "{}", "Replhub-Origin", "s"), false},
		{"filter of no JSON", judge.Definition{Pass: acme}, event("db.user.update", "nope"), true},
		{"fields of no JSON", judge.Definition{Fields: []string{"a"}}, event("db.user.update", "nope"), true},
		{"fields of no JSON at a delete", judge.Definition{Fields: []string{"a"}}, event("db.user.delete", "nope"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := plain(1)
			r.Versions[0].Definition = c.d
			v := judge.Lane{Service: "s", Events: []judge.Event{c.e}, Registrations: []judge.Registration{r}}.Judge()
			if v.Err() != nil || (len(v.Dead) == 1) != c.dead {
				t.Errorf("dead %v, %v", v.Dead, v.Err())
			}
		})
	}
}

func TestIngestVerdicts(t *testing.T) {
	e := events(4)
	acked := func(seqs ...uint64) []judge.Attempt {
		var all []judge.Attempt
		for _, s := range seqs {
			all = append(all, judge.Attempt{ID: "w-" + strconv.Itoa(int(s)), Result: judge.Acked, Position: judge.Position{Epoch: 1, Seq: s}})
		}
		return all
	}
	unknown := judge.Attempt{ID: "w-4", Result: judge.Unknown}
	twice := append(slices.Clone(e), e[0])
	twice[4].Seq = 5
	for _, c := range []struct {
		name                        string
		events                      []judge.Event
		attempts                    []judge.Attempt
		lost, twice, wrong, nowhere int
	}{
		{"right", e, acked(1, 2, 3, 4), 0, 0, 0, 0},
		{"unknown and there", e, append(acked(1, 2, 3), unknown), 0, 0, 0, 0},
		{"unknown and not there", e[:3], append(acked(1, 2, 3), unknown), 0, 0, 0, 0},
		{"refused and there", e, append(acked(1, 2, 3), judge.Attempt{ID: "w-4", Result: judge.Refused}), 0, 0, 0, 1},
		{"lost", e[:3], acked(1, 2, 3, 4), 1, 0, 0, 0},
		{"twice", twice, acked(1, 2, 3, 4), 0, 1, 0, 0},
		{"elsewhere", e, append(acked(1, 2, 3), judge.Attempt{ID: "w-4", Result: judge.Acked, Position: judge.Position{Epoch: 1, Seq: 9}}), 0, 0, 1, 0},
		{"nobody's", e, acked(1, 2, 3), 0, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge.Ingest{Events: c.events, Attempts: c.attempts}.Judge()
			if v.LostTotal() != c.lost || v.Duplicates != c.twice || v.Wrong != c.wrong || v.Nowhere != c.nowhere {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestLetterVerdicts(t *testing.T) {
	letters := copies(1, events(2)...)
	for i := range letters {
		letters[i].Data = nil
	}
	due := []judge.Position{{Epoch: 1, Seq: 1}, {Epoch: 1, Seq: 2}}
	full := slices.Clone(letters)
	full[0].Data = []byte("secret")
	for _, c := range []struct {
		name                        string
		letters                     []judge.Message
		due                         []judge.Position
		lost, twice, wrong, nowhere int
	}{
		{"right", letters, due, 0, 0, 0, 0},
		{"lost", letters[:1], due, 1, 0, 0, 0},
		{"twice", append(slices.Clone(letters), letters[0]), due, 0, 1, 0, 0},
		{"with payload", full, due, 0, 0, 1, 0},
		{"not due", letters, due[:1], 0, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge.Letters("s", c.due, c.letters)
			if v.LostTotal() != c.lost || v.Duplicates != c.twice || v.Wrong != c.wrong || v.Nowhere != c.nowhere {
				t.Errorf("got %+v", v)
			}
		})
	}
}
