package contract_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

// TestDefinitionStandsAmongItsNeighbours holds the JSON of what embeds a definition: its
// members are members of the interest.
func TestDefinitionStandsAmongItsNeighbours(t *testing.T) {
	def := contract.Definition{Ops: []string{"create"}, Filter: "key == 'a'", Fields: []string{"id"}, Echo: true}
	for want, v := range map[string]any{
		`{"entity":"user","ops":["create"],"filter":"key == 'a'","fields":["id"],"echo":true,"start":"all"}`: contract.Interest{
			Entity: "user", Definition: def, Start: "all",
		},
		`{"service":"s","id":"i","entity":"user","ops":["create"],"filter":"key == 'a'","fields":["id"],"echo":true,"since":7,"since_epoch":1}`: contract.InterestStatus{
			Service: "s", ID: "i", Entity: "user", Definition: def, Since: 7, SinceEpoch: 1,
		},
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%T is %s (%v), want %s", v, got, err, want)
		}
	}
}

// TestDecodeNamesTheMember checks that a refusal names a member as the request has it,
// and no type of this program.
func TestDecodeNamesTheMember(t *testing.T) {
	for request, want := range map[string]string{
		`{"interests":[{"entity":"user","opps":["create"]}]}`:                         "interests[0].opps",
		`{"interests":[{"entity":"user","ops":"create"}]}`:                            "interests.ops",
		`{"interests":[{"entity":"user","fields":[1]}]}`:                              "interests.fields",
		`{"interests":[{"entity":"user","echo":"yes"}]}`:                              "interests.echo",
		`{"interests":[{"entity":"user","Definition":{}}]}`:                           "interests[0].Definition",
		`{"queue":{"partitions":"2"}}`:                                                "queue.partitions",
		`{"entities":["user"],"entities":["tenant"]}`:                                 "entities",
		`{"interests":[{"entity":"a"},{"entity":"b","filter":"x","\u0066ilter":""}]}`: "interests[1].filter",
		`{"queue":{"partitions":2,"partitions":2}}`:                                   "queue.partitions",
	} {
		err := contract.Decode([]byte(request), new(contract.Register))
		if refusal, ok := errors.AsType[*contract.Error](err); !ok || refusal.Field != want {
			t.Errorf("%s: %v, want a refusal of %s", request, err, want)
		}
	}
}
