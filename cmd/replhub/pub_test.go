package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

func TestPub(t *testing.T) {
	for _, tt := range []struct {
		name    string
		args    []string
		stdin   string
		subject string
		header  nats.Header
		payload string
	}{
		{"pub", []string{"pub", "user", "create", `{"id":"42"}`}, "", "db.user.create", nil, `{"id":"42"}`},
		{"pub-subject", []string{"pub", "db.user.update", `{"id":"42"}`}, "", "db.user.update", nil, `{"id":"42"}`},
		{"pub-stdin", []string{"pub", "report", "create", "-"}, "a,b\n", "db.report.create", nil, "a,b\n"},
		{
			"pub-headers", []string{
				"pub", "user", "delete", "--key", "42", "--id", "e1", "--origin", "profile", "--version", "0",
				"-H", "Content-Type: text/csv", "-H", "x: a:b", "-H", "x:c",
			}, "", "db.user.delete", nats.Header{
				contract.HeaderKey: {"42"}, contract.HeaderMsgID: {"e1"}, contract.HeaderOrigin: {"profile"}, contract.HeaderVersion: {"0"},
				"Content-Type": {"text/csv"}, "x": {"a:b", "c"},
			}, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			stream := b.createStream(t, contract.StreamIngest, subjects.IngestSubjects()...)
			b.golden(t, tt.name, execute(t.Context(), tt.stdin, tt.args...))
			msg, err := stream.GetMsg(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if msg.Subject != tt.subject || string(msg.Data) != tt.payload {
				t.Errorf("stored %s %q, want %s %q", msg.Subject, msg.Data, tt.subject, tt.payload)
			}
			if diff := cmp.Diff(tt.header, msg.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			b.golden(t, tt.name+"-json", execute(t.Context(), tt.stdin, append(tt.args, "--json")...))
		})
	}
}

func TestPubRefusesWhatIsNoEvent(t *testing.T) {
	b := newBench(t)
	stream := b.createStream(t, contract.StreamIngest, "db.>")
	for name, args := range map[string][]string{
		"pub-bad-op":      {"pub", "user", "rename", "{}", "--json"},
		"pub-bad-entity":  {"pub", "User", "create", "{}"},
		"pub-bad-subject": {"pub", "db.user.>", "{}"},
	} {
		b.golden(t, name, execute(t.Context(), "", args...))
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 0 {
		t.Errorf("%d events stored, error %v", info.State.Msgs, err)
	}
}

func TestPubIsTakenByAnotherStream(t *testing.T) {
	b := newBench(t)
	b.createStream(t, "OTHER", "db.>")
	b.golden(t, "pub-other-stream", execute(t.Context(), "", "pub", "user", "create", "{}"))
}

func TestPubToFullStream(t *testing.T) {
	b := newBench(t)
	stream := b.createStream(t, contract.StreamIngest, subjects.IngestSubjects()...)
	cfg := stream.CachedInfo().Config
	cfg.MaxMsgSize = 1
	if _, err := b.jetStream(t).UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	b.golden(t, "pub-refused", execute(t.Context(), "", "pub", "user", "create", "{}"))
}
