package event_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/event"
)

// naiveKey is the payload's key by way of encoding/json.
func naiveKey(data []byte) string {
	var members map[string]json.RawMessage
	if !json.Valid(data) || json.Unmarshal(data, &members) != nil {
		return ""
	}
	raw := string(members["id"])
	var k string
	switch {
	case raw == "":
		return ""
	case strings.Contains("-0123456789", raw[:1]):
		k = raw
	case raw[0] == '"':
		if json.Unmarshal([]byte(raw), &k) != nil || strings.Count(k, "\ufffd") != replacements(raw) {
			return ""
		}
	}
	if len(k) > 1024 || strings.TrimSpace(k) != k || !utf8.ValidString(k) || regexp.MustCompile(`[\x00-\x1f\x7f]`).MatchString(k) {
		return ""
	}
	return k
}

// replacements counts the U+FFFD that a JSON string means to hold.
func replacements(raw string) int {
	raw = strings.ReplaceAll(raw, `\\`, "")
	return strings.Count(raw, "\ufffd") + len(regexp.MustCompile(`\\u[fF]{3}[dD]`).FindAllString(raw, -1))
}

// FuzzKey holds the key's scan against a full decode.
func FuzzKey(f *testing.F) {
	f.Add([]byte(`{"id":"42"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event.Decode(event.Position{}, stored, "db.user.create", nil, data)
		if err != nil {
			t.Fatal(err)
		}
		if want := naiveKey(data); e.Key != want {
			t.Errorf("%q has the key %q, want %q", data, e.Key, want)
		}
	})
}

// FuzzCopyHeader checks on any header that a copy's headers read back as what
// they are: no command, no second header, the hub's own as the hub set them.
func FuzzCopyHeader(f *testing.F) {
	f.Add("Nats-TTL", "1s", "id", "key")
	f.Fuzz(func(t *testing.T, name, value, id, key string) {
		header := map[string][]string{name: {value}, "Nats-Msg-Id": {id}, "Replhub-Key": {key}}
		e := decode(t, header, "")
		copied := e.CopyHeader().Clone()
		for n, values := range copied {
			if len(values) != 1 || strings.ContainsAny(n+values[0], "\r\n") || strings.Contains(n, ":") {
				t.Errorf("%q: %q could be read as another header", n, values)
			}
			if regexp.MustCompile(`(?i)^(nats-.*|status|description)$`).MatchString(n) {
				t.Errorf("the command %q is copied", n)
			}
		}
		own := map[string]string{"Replhub-Id": e.ID, "Replhub-Key": e.Key, "Replhub-Position": "2-42"}
		maps.DeleteFunc(own, func(_, value string) bool { return value == "" })
		got := map[string]string{}
		for n, values := range copied {
			if len(n) >= 8 && strings.EqualFold(n[:8], "replhub-") && !strings.Contains("Replhub-Time Replhub-Origin Replhub-Version", n) {
				got[n] = values[0]
			}
		}
		if diff := cmp.Diff(own, got); diff != "" {
			t.Errorf("the hub's headers (-want +got)\n%s", diff)
		}
	})
}
