package event_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/subjects"
)

var stored = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 3600))

func decode(t testing.TB, header map[string][]string, data string) *event.Event {
	t.Helper()
	e, err := event.Decode(event.Position{Epoch: 2, Seq: 42}, stored, "db.user.update", header, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPosition(t *testing.T) {
	at := func(epoch, seq uint64) event.Position { return event.Position{Epoch: epoch, Seq: seq} }
	inOrder := []event.Position{{}, at(1, 1), at(1, 2), at(2, 1), at(2, 1<<63), at(3, 0)}
	for i, p := range inOrder {
		for j, q := range inOrder {
			if p.Before(q) != (i < j) || (p.Compare(q) == 0) != (i == j) || (p.Compare(q) > 0) != (i > j) {
				t.Errorf("%s and %s are out of order: %d", p, q, p.Compare(q))
			}
		}
	}
	if got := at(1, 42).String(); got != "1-42" {
		t.Errorf("prints %q", got)
	}
	if got := at(1<<64-1, 1<<64-1).String(); got != "18446744073709551615-18446744073709551615" {
		t.Errorf("prints %q", got)
	}
}

func TestDecodeRefusesSubject(t *testing.T) {
	for _, s := range []string{"", "db.user", "db.user.rename", "sub.a.b.create.0"} {
		e, err := event.Decode(event.Position{}, stored, s, nil, nil)
		var subjectErr *subjects.SubjectError
		if !errors.As(err, &subjectErr) || e != nil {
			t.Errorf("%q: %v, %v; want a *subjects.SubjectError", s, e, err)
		}
	}
}

func TestHeadersThatTheHubReads(t *testing.T) {
	type read struct{ ID, Key, Origin, Version string }
	for _, tc := range []struct {
		name   string
		header map[string][]string
		want   read
	}{
		{"none", nil, read{}},
		{
			"all",
			map[string][]string{"Nats-Msg-Id": {"w-1"}, "Replhub-Key": {"k"}, "Replhub-Origin": {"sharing"}, "Replhub-Version": {"-7"}},
			read{"w-1", "k", "sharing", "-7"},
		},
		{"the first of several", map[string][]string{"Nats-Msg-Id": {"a", "b"}, "Replhub-Key": {"k", "l"}}, read{ID: "a", Key: "k"}},
		{"another letter case", map[string][]string{"nats-msg-id": {"a"}, "replhub-key": {"k"}}, read{}},
		{"empty", map[string][]string{"Nats-Msg-Id": {""}, "Replhub-Key": {}, "Replhub-Origin": nil, "Replhub-Version": {""}}, read{}},
		{"no name", map[string][]string{"Replhub-Origin": {"Sharing"}}, read{}},
		{"no integer", map[string][]string{"Replhub-Version": {"1.0"}}, read{}},
		{"no int64", map[string][]string{"Replhub-Version": {"9223372036854775808"}}, read{}},
		{"line ends", map[string][]string{"Nats-Msg-Id": {"a\r\nReplhub-Position: 1-1"}, "Replhub-Key": {"k\nx"}, "Replhub-Origin": {"a\r"}, "Replhub-Version": {"1\n"}}, read{}},
		{"blanks around", map[string][]string{"Nats-Msg-Id": {" a"}, "Replhub-Key": {"k "}}, read{}},
		{"blanks inside", map[string][]string{"Nats-Msg-Id": {"a b"}, "Replhub-Key": {"k l"}}, read{ID: "a b", Key: "k l"}},
		{"a long id", map[string][]string{"Nats-Msg-Id": {strings.Repeat("x", 2000)}}, read{ID: strings.Repeat("x", 2000)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := decode(t, tc.header, "")
			if diff := cmp.Diff(tc.want, read{e.ID, e.Key, e.Origin, e.Version}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKey(t *testing.T) {
	long := strings.Repeat("x", event.MaxKey)
	for _, tc := range []struct{ name, header, data, want string }{
		{"string", "", `{"id":"42","name":"Ada"}`, "42"},
		{"number", "", `{"id":42}`, "42"},
		{"number as it is written", "", `{"id":1e3}`, "1e3"},
		{"huge number", "", `{"id": 123456789012345678901234567890.50 }`, "123456789012345678901234567890.50"},
		{"out of range", "", `{"id":-1E+999999}`, "-1E+999999"},
		{"header first", "k", `{"id":"42"}`, "k"},
		{"unfit header", "k\x01", `{"id":"42"}`, "42"},
		{"unfit header, no id", " k", `{}`, ""},
		{"header of bad UTF-8", "\xff", `{}`, ""},
		{"longest", "", `{"id":"` + long + `"}`, long},
		{"too long", "", `{"id":"` + long + `x"}`, ""},
		{"longest, escaped", "", `{"id":"` + strings.Repeat(`\u0078`, event.MaxKey) + `"}`, long},
		{"too long a number", "", `{"id":` + strings.Repeat("1", event.MaxKey+1) + `}`, ""},
		{"header too long", long + "x", `{"id":1}`, "1"},
		{"last of several", "", `{"id":1,"id":2}`, "2"},
		{"last of several is none", "", `{"id":1,"id":null}`, ""},
		{"last of several is an object", "", `{"id":1,"id":{"id":3}}`, ""},
		{"name escaped", "", `{"\u0069d":7}`, "7"},
		{"value escaped", "", `{"id":"a\u002fb\"c"}`, `a/b"c`},
		{"surrogate pair", "", `{"id":"\ud83d\ude00"}`, "😀"},
		{"half a pair", "", `{"id":"\ud83d"}`, ""},
		{"bad UTF-8", "", "{\"id\":\"a\xff\"}", ""},
		{"control character", "", `{"id":"a\nb"}`, ""},
		{"DEL", "", "{\"id\":\"a\x7f\"}", ""},
		{"leading blank", "", `{"id":" a"}`, ""},
		{"trailing blank", "", `{"id":"a "}`, ""},
		{"blank inside", "", `{"id":"a b"}`, "a b"},
		{"empty string", "", `{"id":""}`, ""},
		{"null", "", `{"id":null}`, ""},
		{"bool", "", `{"id":true}`, ""},
		{"array", "", `{"id":["42"]}`, ""},
		{"object", "", `{"id":{"id":"42"}}`, ""},
		{"only below", "", `{"user":{"id":"42"}}`, ""},
		{"other letter case", "", `{"ID":"42","Id":"43"}`, ""},
		{"in an array", "", `[{"id":"42"}]`, ""},
		{"scalar", "", `"42"`, ""},
		{"no payload", "", ``, ""},
		{"not JSON", "", `id=42`, ""},
		{"cut short", "", `{"id":"42"`, ""},
		{"more behind", "", `{"id":"42"} {}`, ""},
		{"deep", "", `{"a":` + strings.Repeat("[", 100000) + `,"id":1}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var header map[string][]string
			if tc.header != "" {
				header = map[string][]string{"Replhub-Key": {tc.header}}
			}
			if got := decode(t, header, tc.data).Key; got != tc.want {
				t.Errorf("key %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCopyHeader(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header map[string][]string
		want   map[string][]string
	}{
		{"bare", nil, map[string][]string{
			"Replhub-Position": {"2-42"}, "Replhub-Key": {"7"},
			"Replhub-Time": {"2024-05-06T06:08:09.123456789Z"},
		}},
		{"all", map[string][]string{
			"Nats-Msg-Id": {"w-1"}, "Replhub-Key": {"k"}, "Replhub-Origin": {"sharing"}, "Replhub-Version": {"3"},
			"traceparent": {"00-1"}, "X-Many": {"a", "b", ""},
		}, map[string][]string{
			"Replhub-Id": {"w-1"}, "Replhub-Position": {"2-42"}, "Replhub-Key": {"k"},
			"Replhub-Time": {"2024-05-06T06:08:09.123456789Z"}, "Replhub-Origin": {"sharing"}, "Replhub-Version": {"3"},
			"traceparent": {"00-1"}, "X-Many": {"a", "b", ""},
		}},
		{"commands and impostors", map[string][]string{
			"Nats-Expected-Last-Sequence": {"1"}, "NATS-ROLLUP": {"all"}, "nats-ttl": {"1s"}, "Nats-": {"x"},
			"replhub-seq": {"1"}, "REPLHUB-EPOCH": {"9"}, "Replhub-State": {"1"}, "Replhub-Anything": {"x"},
			"Status": {"100"}, "STATUS": {"408"}, "description": {"x"}, "Description": {"y"},
			"Natsy": {"stays"}, "X-Status": {"stays"}, "Nats": {"stays"},
			"X-Injects": {"a\r\nReplhub-Position: 1-1"}, "X-Second": {"fine", "a\nb"}, "X-Nul": {"\x00"}, "X\r\nNats-TTL": {"1s"}, "X: Nats-TTL": {"1s"},
			" Status": {"100"}, "Nats-TTL ": {"1s"}, "": {"x"}, "X-None": {},
		}, map[string][]string{
			"Replhub-Position": {"2-42"}, "Replhub-Key": {"7"},
			"Replhub-Time": {"2024-05-06T06:08:09.123456789Z"},
			"Natsy":        {"stays"}, "X-Status": {"stays"}, "Nats": {"stays"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decode(t, tc.header, `{"id":7}`).CopyHeader().Clone()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCopyHeaderIsShared(t *testing.T) {
	e := decode(t, map[string][]string{"X": {"x"}}, `{"id":7}`)
	own := e.CopyHeader().Clone()
	before := e.CopyHeader().Clone()
	delete(own, "X")
	failed := errors.New("failed")
	err := e.CopyHeader().With("Nats-Expected-Last-Sequence", []string{"9"}, func(h map[string][]string) error {
		if got := h["Nats-Expected-Last-Sequence"]; len(got) != 1 || got[0] != "9" {
			t.Errorf("the one header more is %q", got)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	after := e.CopyHeader().Clone()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("one copy's change shows in another:\n%s", diff)
	}
	size := 0
	for name, values := range after {
		if len(values) != cap(values) && name != "X" {
			t.Errorf("an append to %s could reach its neighbour", name)
		}
		size += len(name + ": " + values[0] + "\r\n")
	}
	if e.CopyHeader().Size != size {
		t.Errorf("size %d, want %d", e.CopyHeader().Size, size)
	}
}

func TestHeadersForFilters(t *testing.T) {
	e := decode(t, map[string][]string{"B": {"2", "3"}, "A": {"1"}, "Nats-TTL": {"1s"}}, "")
	if diff := cmp.Diff(map[string]any{"A": "1", "B": "2"}, e.Headers().Members()); diff != "" {
		t.Error(diff)
	}
	if got := e.Headers().Names(); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("names %v", got)
	}
	if got := decode(t, nil, "").Headers().Names(); len(got) != 0 {
		t.Errorf("names %v of none", got)
	}
}
