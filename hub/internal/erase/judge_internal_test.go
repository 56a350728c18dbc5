package erase

import (
	"errors"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func name(t *testing.T, text string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatARequestIsAbout(t *testing.T) {
	about := subject{entity: name(t, "user"), key: "42"}
	end := event.Position{Epoch: 2, Seq: 100}
	h := func(pairs ...string) map[string][]string {
		header := make(map[string][]string)
		for i := 0; i < len(pairs); i += 2 {
			header[pairs[i]] = []string{pairs[i+1]}
		}
		return header
	}
	for what, tt := range map[string]struct {
		header map[string][]string
		data   string
		want   bool
	}{
		"a copy":                           {h(contract.HeaderKey, "42", contract.HeaderPosition, "2-100"), "", true},
		"of an earlier epoch":              {h(contract.HeaderKey, "42", contract.HeaderPosition, "1-900"), "", true},
		"of an event behind the end":       {h(contract.HeaderKey, "42", contract.HeaderPosition, "2-101"), "", false},
		"of a later epoch":                 {h(contract.HeaderKey, "42", contract.HeaderPosition, "3-1"), "", false},
		"of another key":                   {h(contract.HeaderKey, "421", contract.HeaderPosition, "2-1"), `{"id":"42"}`, false},
		"a letter of another client":       {nil, `{"id":"42"}`, true},
		"a number":                         {nil, `{"id":42}`, true},
		"another spelling, so another key": {nil, `{"id":42.0}`, false},
		"no key":                           {nil, `42`, false},
		"a position that is none":          {h(contract.HeaderKey, "42", contract.HeaderPosition, "x"), "", true},
	} {
		if got := about.has(tt.header, []byte(tt.data), end); got != tt.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestCursorComesBack(t *testing.T) {
	end := event.Position{Epoch: 3, Seq: 17}
	for _, c := range []cursor{
		{id: "a", end: end},
		{id: "a", end: end, phase: letters, seq: 9},
		{id: "a", end: end, phase: copies},
		{id: "a", end: end, phase: copies, seq: 5, service: name(t, "sha-r_ing")},
		{id: "a", end: end, phase: lettersAgain},
	} {
		if got, err := parseCursor(c.String()); err != nil || got != c {
			t.Errorf("%s: %+v, %v", c, got, err)
		}
	}
	for _, text := range []string{"", "a", "a.1-2.0", "a.1-2.4.0", "a.1-2.-1.0", "a.x.0.0", "a.1-2.0.x", "a.1-2.0.0.sharing", "a.1-2.2.0.Sharing", "a.1-2.2.0.s.x", "a.1-2.0.0.s.done", "a.1-2.2.0.s.done.x"} {
		_, err := parseCursor(text)
		if refusal, ok := errors.AsType[*contract.Error](err); !ok || refusal.Field != "after" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A page that ends behind a lane continues with the next one, however long the name is.
func TestCursorBehindALane(t *testing.T) {
	long := name(t, strings.Repeat("m", 63))
	at := cursor{id: "id", end: event.Position{Epoch: 2, Seq: 100}}.lane(long)
	if at.past(long) || !at.past(name(t, "a")) || at.past(name(t, "z")) {
		t.Errorf("at %s", at)
	}
	at.behind = true
	got, err := parseCursor(at.String())
	if err != nil || got != at {
		t.Fatalf("%s is read as %s, %v", at, got, err)
	}
	if !got.past(long) || got.past(name(t, "z")) {
		t.Errorf("behind %s", got)
	}
	at.service = name(t, "sharing")
	for _, later := range []string{"sharing-", "sharing-1", "sharing0", "sharing_", "sharinga", "sharinh"} {
		if at.past(name(t, later)) {
			t.Errorf("%s is left out", later)
		}
	}
}
