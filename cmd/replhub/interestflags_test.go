package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/replhub/replhub"
)

func TestInterestFlags(t *testing.T) {
	f := interestFlags{
		entities: []string{"user", "order"}, ops: []string{"create", "delete"}, start: "all", echo: true,
		fields: []string{"id,name", "order=id,total"}, where: []string{"user = data.tenant == 'a=b'", "data.ok"},
	}
	got, err := f.interests()
	if err != nil {
		t.Fatal(err)
	}
	ops := []replhub.Op{replhub.Create, replhub.Delete}
	want := []replhub.Interest{
		{Entity: "user", Ops: ops, Filter: "data.tenant == 'a=b'", Fields: []string{"id", "name"}, Start: replhub.StartAll(), Echo: true},
		{Entity: "order", Ops: ops, Filter: "data.ok", Fields: []string{"id", "total"}, Start: replhub.StartAll(), Echo: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(replhub.Start{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A comparison of a member that is called like an entity is no entity's filter.
	f = interestFlags{entities: []string{"user"}, where: []string{"user == 1"}}
	if got, err := f.interests(); err != nil || got[0].Filter != "user == 1" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (&interestFlags{}).interests(); err != nil || got != nil {
		t.Errorf("without flags: %v, %v", got, err)
	}
}

func TestWrongInterestFlags(t *testing.T) {
	for name, tt := range map[string]struct {
		flags interestFlags
		says  string
	}{
		"no entity":    {interestFlags{fields: []string{"id"}}, "--entity"},
		"twice":        {interestFlags{entities: []string{"user"}, where: []string{"user=true", "user=false"}}, "--where is there twice for user"},
		"twice of all": {interestFlags{entities: []string{"user"}, fields: []string{"id", "name"}}, "--fields is there twice for all entities"},
		"empty":        {interestFlags{entities: []string{"user"}, fields: []string{" "}}, "--fields is empty"},
		"start":        {interestFlags{entities: []string{"user"}, start: "yesterday"}, "--start \"yesterday\": must be"},
	} {
		if _, err := tt.flags.interests(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseStart(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]replhub.Start{
		"": {}, "new": replhub.StartNew(), "all": replhub.StartAll(), "snapshot": replhub.StartSnapshot(), "42": replhub.StartFrom(42),
		"2026-11-28T11:00:00Z": replhub.StartAt(now.Add(-time.Hour)), "24h": replhub.StartAt(now.Add(-24 * time.Hour)),
	} {
		if got, err := parseStart(text, now); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got.String(), err)
		}
	}
	for _, text := range []string{"0", "-1h", "0s", "All"} {
		if got, err := parseStart(text, now); err == nil {
			t.Errorf("%q: %q", text, got.String())
		}
	}
}
