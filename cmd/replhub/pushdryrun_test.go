package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A dry run shows the request for each entity, signed, and connects to nothing: neither NATS
// nor the endpoint is there.
func TestPushDryRun(t *testing.T) {
	newBench(t)
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	t.Setenv(envPushSecret, pushSecret)
	args := []string{"push", "sharing", "--url", "https://nowhere.invalid/hook?code=1", "--entity", "user,tenant", "--dry-run"}
	o := execute(t.Context(), "", args...)
	for _, want := range []string{"POST /hook?code=1 HTTP/1.1\nHost: nowhere.invalid\n", "Ce-Type: db.user.update\n", "Ce-Type: db.tenant.update\n", "Webhook-Signature: v1,"} {
		if o.code != exitDone || !strings.Contains(o.stdout, want) {
			t.Errorf("exit %d, %s%s, want %q", o.code, o.stdout, o.stderr, want)
		}
	}
	o = execute(t.Context(), "", append(args, "--json")...)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	var first previewReply
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 || first.Method != http.MethodPost {
		t.Fatalf("%v, %+v", err, o)
	}
	verifier, err := standardwebhooks.NewWebhook(pushSecret)
	if err != nil {
		t.Fatal(err)
	}
	header := make(map[string][]string)
	for name, value := range first.Headers {
		header[name] = []string{value}
	}
	if err := verifier.Verify([]byte(first.Body), header); err != nil {
		t.Error(err)
	}
	if o := execute(t.Context(), "", "push", "sharing", "--url", "http://example.com", "--entity", "user", "--dry-run"); o.code == exitDone {
		t.Errorf("a URL that push refuses: %+v", o)
	}
}
