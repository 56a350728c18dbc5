package anylanguage_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/replhubtest"
)

// answer is what a program was told.
type answer struct {
	Value struct {
		Stream    string   `json:"stream"`
		Seq       int      `json:"seq"`
		Duplicate bool     `json:"duplicate"`
		Consumers []string `json:"consumers"`
	} `json:"value"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Code   string `json:"code"`
	Field  string `json:"field"`
}

// pulled is what a request for a copy was answered with.
type pulled struct {
	Status      int    `json:"status"`
	Pin         string `json:"pin"`
	Description string `json:"description"`
}

type facts struct {
	First              answer `json:"first"`
	Again              answer `json:"again"`
	UnknownOp          answer `json:"unknown_op"`
	Refused            answer `json:"refused"`
	RefusedFilter      answer `json:"refused_filter"`
	UnknownVerb        answer `json:"unknown_verb"`
	Registered         answer `json:"registered"`
	PullWithoutGroup   pulled `json:"pull_without_group"`
	Pull               pulled `json:"pull"`
	PullWithAnotherPin pulled `json:"pull_with_another_pin"`
	Consumer           struct {
		Config struct {
			AckWait       int `json:"ack_wait"`
			MaxDeliver    int `json:"max_deliver"`
			MaxAckPending int `json:"max_ack_pending"`
			PinnedTTL     int `json:"priority_timeout"`
		} `json:"config"`
	} `json:"consumer"`
}

// What a program is told of a publish, a refusal and a pin.
func TestFacts(t *testing.T) {
	t.Parallel()
	hub := replhubtest.Start(t)
	cmd := exec.CommandContext(t.Context(), "node", "facts.mjs")
	cmd.Dir = program
	cmd.Env = append(os.Environ(), "NATS_URL="+hub.URL())
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got facts
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if got.Pull.Pin == "" {
		t.Error("the first copy of a partition has no pin")
	}
	got.Pull.Pin = ""

	var want facts
	want.First.Value.Stream, want.First.Value.Seq = "DB", 1
	want.Again = want.First
	want.Again.Value.Duplicate = true
	want.UnknownOp.Name = "JetStreamNotEnabled" // the library's word for no responders
	want.Refused = answer{Name: "Error", Status: "unknown_field", Code: "unknown_field", Field: "interests[0].opps"}
	want.RefusedFilter = answer{Name: "Error", Status: "invalid_filter", Code: "invalid_filter", Field: "interests[0].filter"}
	want.UnknownVerb.Name = "RequestError"
	want.Registered.Value.Stream, want.Registered.Value.Seq = "SUB_audit", 1
	want.Registered.Value.Consumers = []string{"workers-0"}
	want.PullWithoutGroup = pulled{Status: 400, Description: "Bad Request - Priority Group missing"}
	want.PullWithAnotherPin = pulled{Status: 423, Description: "Nats-Pin-Id mismatch"}
	want.Consumer.Config.AckWait = 30e9
	want.Consumer.Config.MaxDeliver = 10
	want.Consumer.Config.MaxAckPending = 1000
	want.Consumer.Config.PinnedTTL = 2e9
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
