package record_test

import (
	"strings"
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/contract"
)

func TestRecordsAreChecked(t *testing.T) {
	for value, want := range map[string]string{
		``:                              "",
		`""`:                            "",
		` "" `:                          "",
		`{}`:                            "",
		`{"v":1}`:                       "",
		`{"filter":"data.a == 1"}`:      "",
		`{"filtre":"data.a == 1"}`:      "filtre: no such field",
		`{"v":0,"ops":["create"]}`:      "",
		`{"v":-1}`:                      "v: -1 is not 1",
		`not JSON`:                      "it is not a JSON object",
		`[]`:                            "it is not a JSON object",
		`{"since":{"epoch":1,"seq":2}}`: "since: the hub writes it",
		`{"rev":2}`:                     "rev: the hub writes it",
		`{"id":"x","rev":2}`:            "",
		`{"ops":["read"],"ops":[]}`:     "ops: it is there twice",
	} {
		_, newer, err := record.ParseInterest([]byte(value))
		if newer || (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: newer %v, %v, want %q", value, newer, err, want)
		}
	}
	for value, want := range map[string]string{
		``:                             "",
		`{"v":1,"max_bytes":65536}`:    "",
		`{"max_bytes":1}`:              "max_bytes: 1 is too little",
		`{"queue":{"order":"random"}}`: "queue.order:",
		`{"queue":{"ordre":"key"}}`:    "queue.ordre: no such field",
	} {
		_, newer, err := record.ParseService([]byte(value))
		if newer || (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: newer %v, %v, want %q", value, newer, err, want)
		}
	}
}

// What a newer hub wrote is not looked into: it may restrict what an older hub would
// take for an open interest.
func TestRecordsOfANewerForm(t *testing.T) {
	for value, want := range map[string]bool{
		`{"v":2}`: true, `{"v":2,"mask":["name"]}`: true, `{"v":99,"filter":7}`: true,
		`{"v":1}`: false, `{}`: false, ``: false, `{"v":"2"}`: false, `nonsense`: false,
	} {
		_, newer, err := record.ParseInterest([]byte(value))
		_, newerService, _ := record.ParseService([]byte(value))
		if newer != want || newerService != want || record.IsNewer([]byte(value)) != want || want && err != nil {
			t.Errorf("%s: newer %v and %v (%v), want %v", value, newer, newerService, err, want)
		}
	}
}

// A record of what is in force says the same when it is read again.
func TestRecordOfAnInterestIsTheSame(t *testing.T) {
	in := lane.Interest{ID: "x", Entity: "user", Definition: contract.Definition{Ops: []string{"create", "delete"}, Filter: "data.a < 1 && true", Fields: []string{"a"}, Echo: true}, Rev: 3, Since: event.Position{Epoch: 2, Seq: 9}}
	read, newer, err := record.ParseInterest(record.Encode(record.Of(in)))
	if err != nil || newer || !read.Same(in) {
		t.Errorf("%+v, %v, %v", read, newer, err)
	}
	in.Since.Epoch++
	if read.Same(in) {
		t.Error("the same of another beginning")
	}
}

// TestInterestInBothRecords holds the JSON of an interest in the registry and in a lane's
// state record: hubs of other versions read both.
func TestInterestInBothRecords(t *testing.T) {
	in := lane.Interest{
		ID: "x", Entity: "user", Since: event.Position{Epoch: 2, Seq: 9}, Rev: 3,
		Definition: contract.Definition{Ops: []string{"create"}, Filter: "key == '1'", Fields: []string{"a"}, Echo: true},
	}
	const members = `"ops":["create"],"filter":"key == '1'","fields":["a"],"echo":true,"since":{"epoch":2,"seq":9}`
	if got := string(record.Encode(record.Of(in))); got != `{"v":1,"id":"x","rev":3,`+members+`}` {
		t.Error("registry:", got)
	}
	if got := string(record.Encode(in)); got != `{"id":"x","entity":"user",`+members+`,"rev":3}` {
		t.Error("lane:", got)
	}
}
