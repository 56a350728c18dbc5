package hub_test

import (
	"fmt"
	"strings"
	"testing"
)

// A registration is told which members its filter reads unguarded, and each
// event without one is a dead letter all the same.
func TestRegistrationWarnsOfUnguardedReads(t *testing.T) {
	w := newWorld(t)
	w.startHub()
	got := w.register("s", `{"entities":["tenant"],"interests":[
		{"entity":"user","filter":"data.tenant == 'acme' && headers['X-Region'] == 'eu'"},
		{"entity":"order","filter":"has(data.tenant) && data.tenant == 'acme'"}]}`)
	if len(got.Warnings) != 1 {
		t.Fatalf("warnings %q", got.Warnings)
	}
	for _, part := range []string{"filter on user", "data.tenant, headers['X-Region']", "dead letter", "has(data.tenant) &&"} {
		if !strings.Contains(got.Warnings[0], part) {
			t.Errorf("the warning does not tell %q: %s", part, got.Warnings[0])
		}
	}
	// Always an array, for programs.
	var raw map[string]any
	if err := w.call("replhub.register.s", `{"entities":["tenant"]}`, &raw); err != nil {
		t.Fatal(err)
	}
	if list, ok := raw["warnings"].([]any); !ok || len(list) != 0 {
		t.Errorf("warnings %v", raw["warnings"])
	}
	// However many there are, and however long.
	var interests []string
	for i := range 100 {
		interests = append(interests, fmt.Sprintf(`{"entity":"e%d","filter":"data.%s == 1"}`, i, strings.Repeat("x", 1000)))
	}
	got = w.register("many", `{"interests":[`+strings.Join(interests, ",")+`]}`)
	if text := strings.Join(got.Warnings, "\n"); len(got.Warnings) != 21 || len(text) > 16<<10 || !strings.Contains(text, "80 more entities") {
		t.Errorf("%d warnings, %d bytes: …%s", len(got.Warnings), len(text), text[max(len(text)-200, 0):])
	}
}
